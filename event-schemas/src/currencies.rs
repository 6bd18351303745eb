//! Which currencies there are.

use crate::Currency;

/// The currencies that people pay with, by ISO 4217: list one as its maintenance agency (SIX) published it
/// on 1 January 2026, but for funds and units of account (`CLF`, `XDR`, `UYW`, `XAD` and their like), metals
/// (`XAU`), bonds (`XBA`), and the codes for tests and for no currency (`XTS`, `XXX`). In order.
const CURRENCIES: [[u8; 3]; 155] = [
    *b"AED", *b"AFN", *b"ALL", *b"AMD", *b"AOA", *b"ARS", *b"AUD", *b"AWG", *b"AZN", *b"BAM",
    *b"BBD", *b"BDT", *b"BHD", *b"BIF", *b"BMD", *b"BND", *b"BOB", *b"BRL", *b"BSD", *b"BTN",
    *b"BWP", *b"BYN", *b"BZD", *b"CAD", *b"CDF", *b"CHF", *b"CLP", *b"CNY", *b"COP", *b"CRC",
    *b"CUP", *b"CVE", *b"CZK", *b"DJF", *b"DKK", *b"DOP", *b"DZD", *b"EGP", *b"ERN", *b"ETB",
    *b"EUR", *b"FJD", *b"FKP", *b"GBP", *b"GEL", *b"GHS", *b"GIP", *b"GMD", *b"GNF", *b"GTQ",
    *b"GYD", *b"HKD", *b"HNL", *b"HTG", *b"HUF", *b"IDR", *b"ILS", *b"INR", *b"IQD", *b"IRR",
    *b"ISK", *b"JMD", *b"JOD", *b"JPY", *b"KES", *b"KGS", *b"KHR", *b"KMF", *b"KPW", *b"KRW",
    *b"KWD", *b"KYD", *b"KZT", *b"LAK", *b"LBP", *b"LKR", *b"LRD", *b"LSL", *b"LYD", *b"MAD",
    *b"MDL", *b"MGA", *b"MKD", *b"MMK", *b"MNT", *b"MOP", *b"MRU", *b"MUR", *b"MVR", *b"MWK",
    *b"MXN", *b"MYR", *b"MZN", *b"NAD", *b"NGN", *b"NIO", *b"NOK", *b"NPR", *b"NZD", *b"OMR",
    *b"PAB", *b"PEN", *b"PGK", *b"PHP", *b"PKR", *b"PLN", *b"PYG", *b"QAR", *b"RON", *b"RSD",
    *b"RUB", *b"RWF", *b"SAR", *b"SBD", *b"SCR", *b"SDG", *b"SEK", *b"SGD", *b"SHP", *b"SLE",
    *b"SOS", *b"SRD", *b"SSP", *b"STN", *b"SVC", *b"SYP", *b"SZL", *b"THB", *b"TJS", *b"TMT",
    *b"TND", *b"TOP", *b"TRY", *b"TTD", *b"TWD", *b"TZS", *b"UAH", *b"UGX", *b"USD", *b"UYU",
    *b"UZS", *b"VED", *b"VES", *b"VND", *b"VUV", *b"WST", *b"XAF", *b"XCD", *b"XCG", *b"XOF",
    *b"XPF", *b"YER", *b"ZAR", *b"ZMW", *b"ZWG",
];

impl Currency {
    /// Whether something can be bought, given, limited or priced in it today. What the log holds in
    /// another one stays: a country may change its money.
    pub fn is_in_use(self) -> bool {
        CURRENCIES.binary_search(&self.letters()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_pay_with_is_in_use() {
        assert!(CURRENCIES.is_sorted());
        for code in ["USD", "EUR", "GBP", "JPY", "CHF", "XOF", "XCG", "ZWG"] {
            assert!(code.parse::<Currency>().unwrap().is_in_use(), "{code}");
        }
        // Withdrawn ones, funds, metals, codes that stand for none, and none at all.
        for code in ["DEM", "HRK", "BGN", "CLF", "XDR", "XAU", "XBA", "XTS", "XXX", "BTC", "USX"] {
            assert!(!code.parse::<Currency>().unwrap().is_in_use(), "{code}");
        }
    }
}
