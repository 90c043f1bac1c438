//! The table of `ports`.

use netprocmon::Pid;
use netprocmon::units;

use super::Terminal;
use super::ps::user;
use super::table::{Cell, Column, Table};
use crate::commands::ports::PortOwner;

/// A row a port and owner.
pub(crate) fn table(owners: &[PortOwner], terminal: Terminal) -> String {
    let mut table = Table::new([
        Column::text("PROTOCOL"),
        Column::text("ADDRESS").shrinks_to(15),
        Column::number("PORT"),
        Column::text("USE").leaves(2),
        Column::number("PID"),
        Column::text("PROCESS").shrinks_to(8),
        Column::text("USER").leaves(1),
    ]);
    for owner in owners {
        table.row([
            owner.protocol.to_string().into(),
            owner.address.to_string().into(),
            owner.port.to_string().into(),
            usage(owner).into(),
            owner
                .pid
                .map_or_else(|| units::UNKNOWN.to_owned(), |Pid(pid)| pid.to_string())
                .into(),
            Cell::outside(owner.name.as_deref().unwrap_or(units::UNKNOWN)),
            user(owner.user.as_deref(), owner.uid),
        ]);
    }
    table.render(terminal)
}

fn usage(owner: &PortOwner) -> String {
    let connections = match owner.connections {
        0 => String::new(),
        1 => "1 connection".to_owned(),
        many => format!("{many} connections"),
    };
    match (owner.listening, connections.is_empty()) {
        (true, true) => "listens".to_owned(),
        (true, false) => format!("listens, {connections}"),
        (false, _) => connections,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ports::owners;
    use crate::flags::meaning::Wanted;
    use crate::made::inventory;

    #[test]
    fn all() {
        let mut owners = owners(&inventory(), Wanted::All);
        // The name of user 1000 is this machine's to say.
        for owner in &mut owners {
            owner.user = None;
        }
        insta::assert_snapshot!(table(&owners, Terminal::NONE));
    }
}
