//! Seeds of the swarm that are never forgotten.

/// Seeds that found something, each with what it was. What it says must stay fixed.
/// New ones come last.
pub(super) const KEPT: &[(u64, &str)] = &[
    (
        0,
        "newcomers were to be admitted while a cut was being saved: the coordinator span",
    ),
    (
        7,
        "a voter that had promised a higher ballot than the coordinator's granted nothing ever again",
    ),
    (
        13,
        "a newer life came and went unseen: the older one stayed in the view for ever",
    ),
    (
        22,
        "the first member lost its memory, began a history of its own and admitted those of the old",
    ),
    (
        31,
        "under a clock that was set back a restart went on as a life that its disk condemned",
    ),
    (
        36,
        "a report about a removed member had it looked for every ten seconds for ever; a verdict \
         'left' became 'dead' when a newer life was admitted",
    ),
    (
        44,
        "a voter that could not save went on to count as one: no quorum, and none to be rebuilt",
    ),
    (
        50,
        "without rings (plain SWIM) the table was said to break its invariants: nobody stood on the \
         rings that there were not",
    ),
    (
        57,
        "an 'accepted' that was lost left two logs of equal length undecided for ever",
    ),
    (
        59,
        "a cluster of one voter took its quorum for lost when nothing happened",
    ),
    (
        183,
        "members that lost their memory began a history of their own while only each other were told",
    ),
    (
        243,
        "a coordinator left as soon as it alone knew who votes in its place",
    ),
    (
        280,
        "the simulated kernel of a dead process went on to retransmit for minutes: a forgotten life \
         joined again",
    ),
    (
        557,
        "a degraded member that became the coordinator stayed degraded",
    ),
    (
        576,
        "two that were alone gave up their histories for that of the other; one came back to its own \
         and decided under numbers that were taken",
    ),
    (
        625,
        "a member was found degraded in one term, that was committed in the next, and nobody took it \
         back",
    ),
    (
        720,
        "whoever was started again late had been ended by its namesake: the simulation failed",
    ),
    (
        769,
        "a life was removed right after its process had gone past it: its clients were told nothing",
    ),
    (
        887,
        "the last one that knew the history was ended by a namesake that knew nothing",
    ),
    (
        1296,
        "the coordinator held an older life of a member that nobody had met, and looked for that one",
    ),
    (
        1325,
        "two members that compare tables every 30 s open five streams in a minute, not four",
    ),
    (
        1603,
        "who waited to be a member again was given up by its witnesses, and never looked at again",
    ),
    (
        1717,
        "two histories without a quorum each counted the voters of the other as alive",
    ),
    (
        1361,
        "those that knew only voters that had lost their memory followed nobody any more",
    ),
    (
        1854,
        "a restarted member was forgotten, and a late word brought its former life back",
    ),
    (
        11277,
        "a cut named a member twice, and a life of it that was never a member was told dead twice",
    ),
    (
        14090,
        "two members that had never voted began another history while the only voter was away",
    ),
    (
        607,
        "the only voter that a member knew was itself, with a memory that was gone: it caught up never",
    ),
];

/// So many of them, from the first, were found before any swarm was sealed: those are not.
pub(super) const KEPT_UNSEALED: usize = 27;
