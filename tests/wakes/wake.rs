//! The library's `wake`, over the eventfds of the model.

#[path = "../../src/wake/shared.rs"]
mod shared;
#[path = "../../src/wake/state.rs"]
mod state;

pub(crate) use crate::kernel::WakeFd;
pub(crate) use shared::{Fairness, QueueSide, WakerSide};
pub(crate) use state::{SLOTS, WakeState};
