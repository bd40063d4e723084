//! A partition's life (FF-A 1.3): what happens when it fails, and whether its image can be replaced.

use alloc::format;

use uuid::Uuid;

use super::error::Error;
use super::messages;
use super::regions::{self, Found};
use super::tree::Node;
use crate::config::{AbortAction, Contexts, Lifecycle, LiveActivation, Service};
use crate::memory::page::Attributes;

const SUPPORT: &str = "lifecycle-support";
const ABORT: &str = "abort-action";
const LIVE: &str = "live-activation-support";
const REGISTER: &str = "live-activation-register";
const IMAGE: &str = "image-uuid";
const BUFFER_NODE: &str = "live-state-buffer-info";
const BUFFER: &str = "live-state-buffer";

/// The UUID of the partition's image.
pub fn image_uuid(root: &Node<'_, '_>, services: &[Service]) -> Result<Option<Uuid>, Error> {
    let Some(uuid) = messages::uuid(root, IMAGE)? else { return Ok(None) };
    if uuid.is_nil() {
        return Err(root.value(IMAGE, uuid, "not nil, which names no image"));
    }
    if services.iter().any(|service| service.uuid == uuid) {
        return Err(root.value(IMAGE, uuid, "no UUID that the partition offers as a service"));
    }
    Ok(Some(uuid))
}

/// What the partition knows of its life. `register` is the one that hands over its boot information.
pub fn lifecycle(
    root: &Node<'_, '_>,
    contexts: Contexts,
    register: Option<u8>,
    image: Option<Uuid>,
    memory: &[Found],
) -> Result<Option<Lifecycle>, Error> {
    let action = root.optional_number(ABORT, 0..=3_u8)?;
    let live = root.flag(LIVE)?;
    if !root.flag(SUPPORT)? {
        let needs = |property, value: &dyn core::fmt::Display| {
            Err(root.value(property, value, format!("absent, or come with `{SUPPORT}`")))
        };
        return match action {
            Some(action) => needs(ABORT, &action),
            None if live => needs(LIVE, &"set"),
            None => Ok(None),
        };
    }
    if contexts != Contexts::Migratable {
        let value = format!("set, with {} execution contexts", contexts.count());
        return Err(root.value(SUPPORT, value, "absent, or the partition have one context"));
    }
    let live_activation = if live { Some(live_activation(root, register, image, memory)?) } else { None };
    let abort_action = match action {
        None | Some(0) => AbortAction::Stop,
        Some(1) => AbortAction::Destroy,
        Some(2) => AbortAction::Restart,
        Some(_) => AbortAction::Propagate,
    };
    let owner = root.owner();
    log::warn!(
        "{owner}: `{ABORT}` {abort_action:?} is not there: if the partition fails, it is aborted for good"
    );
    Ok(Some(Lifecycle { abort_action, live_activation }))
}

/// What being replaced needs: an image with a name, a register to be told in, and memory for the state.
fn live_activation(
    root: &Node<'_, '_>,
    boot_register: Option<u8>,
    image: Option<Uuid>,
    memory: &[Found],
) -> Result<LiveActivation, Error> {
    if image.is_none() {
        return Err(Error::Missing {
            at: root.at(IMAGE),
            expected: "the UUID of the image, for live activation",
        });
    }
    let register = root.number(REGISTER, 0..=7_u8)?;
    // x4 is the index of the PE.
    if register == 4 || Some(register) == boot_register {
        let limit = "0 to 7, but neither 4 nor `gp-register-num`";
        return Err(root.value(REGISTER, register, limit));
    }
    let node = root.required_child(BUFFER_NODE)?;
    node.compatible(&["arm,ffa-manifest,live-state-buffer"])?;
    let buffer = regions::named(&node, BUFFER, Attributes::READ | Attributes::WRITE, memory)?;
    node.report_unused(&["compatible", BUFFER], &[]);
    Ok(LiveActivation { register, buffer })
}
