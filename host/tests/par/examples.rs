//! The examples run, and check themselves.

#[path = "../../examples/message_passing.rs"]
mod message_passing;
#[path = "../../examples/shared_memory.rs"]
mod shared_memory;

#[test]
fn messages_pass_through_bounded_channels() {
    // Once: its threads have their places for good.
    message_passing::main();
}

#[test]
fn counts_are_the_same_however_they_are_shared() {
    shared_memory::main().unwrap();
}
