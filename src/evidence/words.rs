//! The closed sets of a record: one name each, the same in records, metrics and queries.

/// An enum whose variants each have one written name, and the way back from it.
macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every member of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The written name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The member of that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.name() == name)
            }
        }
    };
}

closed_set! {
    /// Which moment of a call a record tells of; its name is the CloudEvents `type`.
    Kind {
        /// A permit was given, recorded before the first byte left. Only where the pact demands record-first;
        /// a [`Kind::Settled`] record with the same decision id follows.
        Admitted => "dev.pactgate.call.admitted.v1",
        /// An admitted call has ended.
        Settled => "dev.pactgate.call.settled.v1",
        /// The call was refused; nothing left.
        Refused => "dev.pactgate.call.refused.v1",
    }
}

closed_set! {
    /// What was done with the call. Not the verdict: an observing pact denies, and the call is sent.
    Effect {
        /// It was let through.
        Sent => "sent",
        /// It was not.
        Refused => "refused",
    }
}

closed_set! {
    /// How the agent's id is known.
    Proof {
        /// The listener belongs to one agent.
        Listener => "listener",
        /// A bearer credential.
        Bearer => "bearer",
        /// A client certificate.
        Certificate => "certificate",
    }
}

closed_set! {
    /// How much of a message was read.
    Seen {
        /// All of it was read and judged.
        Read => "read",
        /// Only its envelope: method, address, headers, sizes.
        Envelope => "envelope",
        /// Nothing of it; the bytes passed unread.
        Unread => "unread",
    }
}

closed_set! {
    /// What became of the question to a person.
    ApprovalAnswer {
        /// A person said yes, and this call used the grant up.
        Granted => "granted",
        /// A person said no.
        Refused => "refused",
        /// The question grew too old.
        Expired => "expired",
        /// Nobody has answered yet.
        Unanswered => "unanswered",
    }
}

closed_set! {
    /// Where the way to the upstream broke.
    UpstreamFailure {
        /// Its name could not be resolved.
        Resolve => "resolve",
        /// Its address must not be reached.
        Forbidden => "forbidden",
        /// No connection came about.
        Connect => "connect",
        /// The TLS handshake failed.
        Tls => "tls",
        /// It did not answer in time.
        Timeout => "timeout",
        /// It closed the connection before an answer was complete.
        Reset => "reset",
        /// Its answer was not HTTP, or not the HTTP it promised.
        Protocol => "protocol",
        /// Its answer was larger than the bound.
        TooLarge => "too-large",
    }
}

closed_set! {
    /// Why Pactgate ended an answer early.
    CutCause {
        /// The upstream fell silent for too long.
        Idle => "idle",
        /// The agent read too slowly for too long.
        SlowReader => "slow-reader",
        /// The answer was larger than the bound.
        TooLarge => "too-large",
        /// The agent's tier fell while the answer was under way.
        TierFell => "tier-fell",
        /// A reservation was used up.
        LimitReached => "limit-reached",
        /// The answer held something that the pact forbids.
        Forbidden => "forbidden",
        /// The answer could not be read without doubt, so nothing could be judged by it.
        Unreadable => "unreadable",
        /// The sidecar is shutting down.
        Drain => "drain",
    }
}

impl Kind {
    /// The short name, for metrics and people.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Settled => "settled",
            Self::Refused => "refused",
        }
    }
}
