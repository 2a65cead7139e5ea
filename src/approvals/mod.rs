//! Approvals: questions to people, held until somebody answers, and grants that are good once.

mod desk;
mod question;
mod spent;
mod state;
mod table;
mod ticket;

pub use desk::{Desk, DeskFull, Open, Settings, Stats};
pub use question::{Asked, Question, Said, Statement};
pub use table::NotTaken;
pub use ticket::{Answer, Grant, Ticket};

#[cfg(test)]
mod tests;
