//! What can be wrong with a scenario.

use super::{Fault, Scenario, ScenarioError, Step, Whom};

impl Scenario {
    /// Everything that is wrong, in the order of the fields.
    pub fn check(&self) -> Vec<ScenarioError> {
        let mut errors = Vec::new();
        if self.members == 0 {
            errors.push(error("members", "0", "at least 1 is needed"));
        }
        for problem in self.config.check() {
            let field = format!("settings.{}", problem.setting);
            errors.push(error(&field, &problem.given, &problem.allowed));
        }
        for (number, step) in self.steps.iter().enumerate() {
            self.check_step(&format!("steps[{number}]"), step, &mut errors);
        }
        errors
    }

    fn check_step(&self, field: &str, step: &Step, errors: &mut Vec<ScenarioError>) {
        if step.at > self.duration {
            let given = format!("{:?}", step.at);
            let allowed = format!("the scenario ends after {:?}", self.duration);
            errors.push(error(&format!("{field}.at"), &given, &allowed));
        }
        let others = self.members.saturating_sub(1);
        match &step.whom {
            Whom::Some(count) if *count > others && step.what != Fault::Join => {
                let allowed = format!("at most {others} can be drawn: all but n0");
                errors.push(error(
                    &format!("{field}.whom"),
                    &count.to_string(),
                    &allowed,
                ));
            }
            Whom::All | Whom::Named(_) | Whom::Some(_) | Whom::Share(_) => {}
        }
    }
}

fn error(field: &str, given: &str, allowed: &str) -> ScenarioError {
    ScenarioError {
        field: field.to_owned(),
        given: given.to_owned(),
        allowed: allowed.to_owned(),
    }
}
