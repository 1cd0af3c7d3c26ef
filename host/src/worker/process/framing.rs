//! Where a message ends.

use super::CallError;

/// How requests and replies are told apart in a pipe.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Framing {
    /// A message is a line: what scripts speak. It may not hold a newline, and the child must flush each line.
    #[default]
    Lines,
    /// A message is its length in four bytes, the least first, and so many bytes: any content.
    Lengths,
}

impl Framing {
    /// The bytes that carry `message`.
    pub(super) fn wrap(self, message: &[u8]) -> Result<Vec<u8>, CallError> {
        match self {
            Self::Lines if message.contains(&b'\n') => Err(CallError::NotALine),
            Self::Lines => Ok([message, b"\n"].concat()),
            Self::Lengths => {
                let length = u32::try_from(message.len())
                    .map_err(|_| CallError::TooLong { most: u32::MAX as usize })?;
                Ok([&length.to_le_bytes(), message].concat())
            }
        }
    }

    /// Takes the message out of `bytes` if it is there in whole. Whatever follows it is an answer to nothing.
    pub(super) fn unwrap(self, bytes: &mut Vec<u8>, most: usize) -> Result<Option<Vec<u8>>, CallError> {
        let (begin, end) = match self {
            Self::Lines => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => (0, end),
                None if bytes.len() > most => return Err(CallError::TooLong { most }),
                None => return Ok(None),
            },
            Self::Lengths => {
                let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
                let length = u32::from_le_bytes(*length) as usize;
                if length > most {
                    return Err(CallError::TooLong { most });
                }
                if bytes.len() < 4 + length {
                    return Ok(None);
                }
                (4, 4 + length)
            }
        };
        if end - begin > most {
            return Err(CallError::TooLong { most });
        }
        let used = if self == Self::Lines { end + 1 } else { end };
        let message = bytes[begin..end].to_vec();
        bytes.drain(..used);
        if bytes.is_empty() { Ok(Some(message)) } else { Err(CallError::TalksOutOfTurn) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_comes_out_as_it_went_in(message in prop::collection::vec(any::<u8>(), 0..300)) {
            for framing in [Framing::Lines, Framing::Lengths] {
                match framing.wrap(&message) {
                    Ok(wrapped) => {
                        for upto in 0..wrapped.len() {
                            let part = framing.unwrap(&mut wrapped[..upto].to_vec(), 300);
                            prop_assert!(matches!(part, Ok(None)), "{part:?}");
                        }
                        let whole = framing.unwrap(&mut wrapped.clone(), 300);
                        prop_assert!(matches!(whole, Ok(Some(out)) if out == message));
                        let twice = framing.unwrap(&mut wrapped.repeat(2), 300);
                        prop_assert!(matches!(twice, Err(CallError::TalksOutOfTurn)));
                    }
                    Err(error) => {
                        prop_assert!(matches!(error, CallError::NotALine) && framing == Framing::Lines);
                        prop_assert!(message.contains(&b'\n'));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_all_there() {
        let mut endless = vec![b'x'; 11];
        assert!(matches!(Framing::Lines.unwrap(&mut endless, 10), Err(CallError::TooLong { most: 10 })));
        let mut huge = u32::MAX.to_le_bytes().to_vec();
        assert!(matches!(Framing::Lengths.unwrap(&mut huge, 10), Err(CallError::TooLong { most: 10 })));
    }
}
