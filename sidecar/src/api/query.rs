//! The parts of a URL: percent-decoding and query parameters.

/// A text with `%` that is not followed by two hexadecimal digits, or that is no UTF-8 when
/// decoded. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a percent sign is followed by two hexadecimal digits (%25 is the sign itself), and all \
     together are UTF-8"
)]
pub(super) struct DecodeError;

/// A segment of a path as text. Decoding comes after the path was divided: a name may hold `%2F`.
pub(super) fn decode(text: &str) -> Result<String, DecodeError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit().ok_or(DecodeError)?, digit().ok_or(DecodeError)?);
                u8::try_from(high << 4 | low).map_err(|_| DecodeError)?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| DecodeError)
}

/// The parameters in the order given, decoded as HTML forms are: `+` is a space.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, DecodeError> {
    let part = |text: &str| decode(&text.replace('+', " "));
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((part(key)?, part(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests;
