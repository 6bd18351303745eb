# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /source
COPY . .
# The caches are mounts: they make a second build quick and stay out of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --release -p orgledger \
    && install -D target/release/orgledger /out/orgledger

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin orgledger
COPY --from=builder /out/orgledger /usr/local/bin/orgledger
USER 10001
ENV ORGLEDGER_LISTEN=0.0.0.0:8080 \
    ORGLEDGER_LOG_FORMAT=json
EXPOSE 8080
ENTRYPOINT ["orgledger"]
CMD ["--help"]
