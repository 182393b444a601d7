//! `wasi:sockets`: a network that leads nowhere.

use wasmtime::Result;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};

use super::Nothing;
use crate::guest::Guest;

/// `wasi:sockets/network.error-code`, in its order. Nothing but the second is ever answered.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "the type has them")]
enum ErrorCode {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "not-supported")]
    NotSupported,
    #[component(name = "invalid-argument")]
    InvalidArgument,
    #[component(name = "out-of-memory")]
    OutOfMemory,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "concurrency-conflict")]
    ConcurrencyConflict,
    #[component(name = "not-in-progress")]
    NotInProgress,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "invalid-state")]
    InvalidState,
    #[component(name = "new-socket-limit")]
    NewSocketLimit,
    #[component(name = "address-not-bindable")]
    AddressNotBindable,
    #[component(name = "address-in-use")]
    AddressInUse,
    #[component(name = "remote-unreachable")]
    RemoteUnreachable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-reset")]
    ConnectionReset,
    #[component(name = "connection-aborted")]
    ConnectionAborted,
    #[component(name = "datagram-too-large")]
    DatagramTooLarge,
    #[component(name = "name-unresolvable")]
    NameUnresolvable,
    #[component(name = "temporary-resolver-failure")]
    TemporaryResolverFailure,
    #[component(name = "permanent-resolver-failure")]
    PermanentResolverFailure,
}

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "guests make them")]
enum AddressFamily {
    #[component(name = "ipv4")]
    V4,
    #[component(name = "ipv6")]
    V6,
}

/// A refusal in place of a resource.
type Refused = (std::result::Result<Resource<Nothing>, ErrorCode>,);

pub(super) fn instance(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("instance-network", |_, (): ()| Ok((Resource::<Nothing>::new_own(0),)))
}

pub(super) fn lookup(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("resolve-addresses", |_, _: (Resource<Nothing>, String)| {
        Ok::<Refused, _>((Err(ErrorCode::AccessDenied),))
    })
}

pub(super) fn create(to: &mut LinkerInstance<'_, Guest>, name: &str) -> Result<()> {
    to.func_wrap(name, |_, _: (AddressFamily,)| Ok::<Refused, _>((Err(ErrorCode::AccessDenied),)))
}
