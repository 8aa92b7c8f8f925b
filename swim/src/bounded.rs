//! Decoding within limits: what claims or holds more than it may is refused before it is stored.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// A list of at most `MOST`. Room is made for what the input can hold, whatever it claims.
pub(crate) fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Few<T, const MOST: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Few<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {MOST}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            // `None` when the input is too short for what it claims: then it ends in an error.
            let claimed = list.size_hint().unwrap_or(0);
            if claimed > MOST {
                return Err(A::Error::invalid_length(claimed, &self));
            }
            let mut taken = Vec::with_capacity(claimed);
            while let Some(element) = list.next_element()? {
                if taken.len() == MOST {
                    return Err(A::Error::invalid_length(MOST + 1, &self));
                }
                taken.push(element);
            }
            Ok(taken)
        }
    }

    deserializer.deserialize_seq(Few::<T, MOST>(PhantomData))
}

/// Bytes, in the same form as a list of numbers, copied at once.
pub(crate) mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        Ok(<&[u8]>::deserialize(deserializer)?.to_vec())
    }
}
