use std::collections::BTreeSet;

use super::*;
use crate::sim::network::Latency;

fn configs() -> [Config; 3] {
    [Config::lan(), Config::wan(), Config::local()]
}

#[test]
fn all_can_be_run_with_any_number_of_members() {
    for built_in in &ALL {
        for config in configs() {
            for members in [built_in.least, 3, 4, 11, built_in.members, 1000] {
                let scenario = built_in.scenario(members, &config, &Faults::default());
                let errors = scenario.check();
                assert!(
                    errors.is_empty(),
                    "{} of {members}: {errors:?}",
                    built_in.name
                );
                assert_eq!(scenario.members, members);
            }
        }
    }
}

#[test]
fn names_are_words_and_differ() {
    let names: BTreeSet<&str> = ALL.iter().map(|built_in| built_in.name).collect();
    assert_eq!(names.len(), ALL.len());
    for built_in in &ALL {
        assert_eq!(
            BuiltIn::named(built_in.name).map(|found| found.name),
            Some(built_in.name)
        );
        assert!(!built_in.name.contains(['/', '.', '_', ' ']));
        // A listing of 80 columns has a line for each.
        assert!(
            built_in.about.len() <= 80 - 17,
            "{}: {}",
            built_in.name,
            built_in.about.len()
        );
    }
}

#[test]
fn settings_in_any_range_make_a_scenario() {
    let mut config = Config::wan();
    config.reconnect_interval = Duration::MAX;
    config.suspicion = Duration::MAX;
    config.period = Duration::MAX;
    for built_in in &ALL {
        built_in.scenario(0, &config, &Faults::default());
        built_in.scenario(usize::MAX, &config, &Faults::default());
    }
}

#[test]
fn patient_settings_make_longer_scenarios() {
    let crash = BuiltIn::named("crash").expect("there is one");
    let [lan, wan, local] =
        configs().map(|config| crash.scenario(50, &config, &Faults::default()).duration);
    assert!(local < lan && lan < wan, "{local:?} {lan:?} {wan:?}");
}

#[test]
fn what_the_network_is_like_stays_so_while_it_loses_packets() {
    let latency = Latency::Uniform(SECOND..SECOND);
    let network = Faults {
        latency: latency.clone(),
        ..Faults::default()
    };
    let lossy = BuiltIn::named("lossy").expect("there is one");
    let scenario = lossy.scenario(50, &Config::lan(), &network);
    assert_eq!(scenario.network, network);
    assert_eq!(scenario.steps.len(), 2);
    for step in &scenario.steps {
        let Fault::Network(faults) = &step.what else {
            panic!("it is about the network: {step:?}");
        };
        assert_eq!(faults.latency, latency);
    }
}
