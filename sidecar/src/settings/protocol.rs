//! The settings of the protocol alone, for commands that run it without an agent.

use std::path::Path;

use muster_swim::Config;

use super::file::{self, Scope};
use super::flags::ProtocolFlags;
use super::layer::{self, Layer};
use super::problem::Problem;
use super::{Layers, Preset, Settings, TABLE, apply, preset_of};

/// Those that an agent's file gives; what else it gives is ignored.
pub(crate) fn protocol_of_file(path: &Path, problems: &mut Vec<Problem>) -> Layer {
    file::read(path, Scope::ProtocolOfAgent, problems)
}

/// Those that the command line gives.
pub(crate) fn protocol_of_flags(flags: &ProtocolFlags) -> Layer {
    layer::from_flags(&flags.values)
}

/// Applies layers, the lowest first, onto the preset that they choose.
pub(crate) fn merge_protocol(rising: &[&Layer], problems: &mut Vec<Problem>) -> Config {
    let preset = preset_of(rising, Preset::simulated);
    let mut settings = Settings::of_preset(preset, Layers::default());
    settings.simulated = true;
    let protocol = TABLE.iter().filter(|setting| setting.is_protocol());
    apply(rising, protocol, &mut settings, problems);
    settings.swim
}
