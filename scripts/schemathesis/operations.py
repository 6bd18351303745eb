"""Which operations end something, and which are the operator's."""

ENDING = (
    ("accept", "approve", "archive", "cancel", "change_member_role", "close", "decline", "disable")
    + ("end_", "erase", "leave", "remove", "replace", "review_break_glass", "revoke", "suspend")
    + ("transfer", "update_organization", "withdraw")
)
OPERATORS = ("create_organization", "publish_price_list", "request_break_glass", "list_organizations")
# A key is good for one organization; the operator is let into two.
OPERATORS += ("transfer_credits",)


def is_ending(operation):
    """Whether others could not use afterwards what it was done to."""
    return operation.startswith(ENDING)


def is_operators(operation):
    """Whether it is asked by who runs orgledger."""
    return operation in OPERATORS
