//! A bounded queue between one producer and one consumer.
