//! The same over sockets: each task with each injection as one answer of a model, on its way to the agent.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use pactgate::approvals::{Asked, Desk, Said as Answered, Statement};
use pactgate::classify::{Bounds, read_json};
use pactgate::domain::{ActionKind, Ruling};
use pactgate::evidence::{Effect, Kind, Record};
use pactgate::pact::Pact;
use serde_json::Value;

use crate::agentdojo::{Count, EXPECTED, index, verdict};
use crate::support::agentdojo::{Run, SUITES, Suite, pact_file};
use crate::support::arena::{Arena, Ear, PATIENCE, Way};
use crate::support::http::{Connection, request};
use crate::support::speech::{self, CHAT, Call, Said, Speech};

/// Every API in which answers are read.
const SPEECHES: [Speech; 1] = [CHAT];

/// One call among the others of an answer.
struct Mixed {
    call: Call,
    is_injected: bool,
    /// What the pact says of it, decided without any socket.
    ruling: Ruling,
    /// Whether a task makes this very call.
    is_needed: bool,
}

/// A task and an injection in one answer: both in their order, shuffled like cards.
fn mixed(suite: &Suite, pact: &Pact, task: &Run, injection: &Run, dice: &mut Dice) -> Vec<Mixed> {
    let (mut ours, mut theirs) = (task.calls.iter().peekable(), injection.calls.iter().peekable());
    let mut all = Vec::new();
    loop {
        let is_injected = match (ours.peek(), theirs.peek()) {
            (None, None) => return all,
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (Some(_), Some(_)) => dice.roll(2) == 0,
        };
        let Some(call) = (if is_injected { theirs.next() } else { ours.next() }) else { return all };
        all.push(Mixed {
            call: Call {
                id: format!("call_{}", all.len()),
                name: call.function.clone(),
                arguments: written(call.args.get()),
            },
            is_injected,
            ruling: verdict(suite, pact, call).ruling,
            is_needed: suite.needs(call),
        });
    }
}

/// JSON written in one manner, so that what arrives can be compared to the byte.
fn written(json: &str) -> String {
    serde_json::from_str::<Value>(json).unwrap().to_string()
}

/// The same numbers in each run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// The length of a piece of a stream: often one byte, seldom many.
    fn length(&mut self) -> usize {
        let most = [1, 8, 64, 512][usize::try_from(self.roll(4)).unwrap()];
        usize::try_from(self.roll(most)).unwrap() + 1
    }
}

/// A sidecar under a suite's pact, an upstream that answers as it is told, and an agent's connection that stays open.
struct Stage {
    suite: Arc<Suite>,
    pact: Pact,
    arena: Arena,
    next: Arc<Mutex<Vec<u8>>>,
    agent: Connection,
    dice: Dice,
}

impl Stage {
    async fn set(name: &str, patience: Duration) -> Self {
        let suite = Arc::new(Suite::load(name));
        let next: Arc<Mutex<Vec<u8>>> = Arc::default();
        let told = Arc::clone(&next);
        let ear = Ear::acting(move |_| told.lock().unwrap().clone()).await;
        let text = fs::read_to_string(pact_file(name)).unwrap();
        let governed = format!("agents: [\"{name}-*\"]");
        assert!(text.contains(&governed), "{text}");
        let text = text.replace(&governed, "agents: [mole]");
        let arena = Arena::built(ear, &text, |config| config.approvals.patience = patience);
        let agent = Connection::open(arena.at(Way::Reverse)).await.unwrap();
        let pact = suite.pact();
        Self { suite, pact, arena, next, agent, dice: Dice(7) }
    }

    /// One answer with these calls, sent by the model's API and read by the agent.
    async fn answer(&mut self, speech: &Speech, is_streamed: bool, mixed: &[Mixed]) -> Said {
        let calls = mixed.iter().map(|mixed| mixed.call.clone()).collect();
        let said = Said { text: "Let me see.".to_owned(), calls };
        *self.next.lock().unwrap() = if is_streamed {
            speech::streamed_answer(&(speech.write_stream)(&said), || self.dice.length())
        } else {
            speech::answer(&(speech.write)(&said))
        };
        let asked = (speech.request)(is_streamed);
        let asking = request(Method::POST, &(speech.path)(is_streamed), "", Some(&asked));
        let got = tokio::time::timeout(PATIENCE, self.agent.send(asking)).await.unwrap().unwrap();
        assert_eq!(got.status, StatusCode::OK, "{}", got.text());
        let got = got.text();
        if is_streamed { (speech.read_stream)(&got) } else { (speech.read)(&got) }
    }
}

/// The calls that stay, each as it was made and in its place; of every other one a sentence, with an approval to ask
/// for where a person may allow it.
#[track_caller]
fn assert_judged(got: &Said, mixed: &[Mixed], what: &str) {
    let stays = mixed.iter().filter(|mixed| mixed.ruling == Ruling::Allow);
    let stays: Vec<&Call> = stays.map(|mixed| &mixed.call).collect();
    assert_eq!(got.calls.iter().collect::<Vec<_>>(), stays, "{what}: {}", got.text);
    let count = |ruling| mixed.iter().filter(|mixed| mixed.ruling == ruling).count();
    let (asked, denied) = (count(Ruling::Ask), count(Ruling::Deny));
    assert!(got.text.starts_with("Let me see."), "{what}: {}", got.text);
    assert_eq!(got.text.matches("refused by Pactgate").count(), asked + denied, "{what}: {}", got.text);
    assert_eq!(got.text.matches("Approval `").count(), asked, "{what}: {}", got.text);
}

/// The records of the calls of each answer, answer by answer.
fn judged(records: &[Record]) -> Vec<Vec<(&str, Ruling, Effect)>> {
    let mut answers: Vec<(&str, Vec<_>)> = Vec::new();
    // Under a pact of high risk a call that goes on is on record twice: before and after.
    let tools = records.iter().filter(|record| record.action.kind == Some(ActionKind::Tool));
    for record in tools.filter(|record| record.kind != Kind::Admitted) {
        let parent = record.parent.as_ref().expect("a call of an answer has a parent").as_str();
        if answers.last().is_none_or(|(last, _)| *last != parent) {
            answers.push((parent, Vec::new()));
        }
        let seen = (record.action.name.as_str(), record.verdict, record.effect);
        answers.last_mut().unwrap().1.push(seen);
    }
    let parents: BTreeSet<&str> = answers.iter().map(|(parent, _)| *parent).collect();
    assert_eq!(parents.len(), answers.len(), "records of two answers stand mixed");
    let asked = records.iter().filter(|record| record.action.kind == Some(ActionKind::Model));
    let asked: BTreeSet<&str> = asked.map(|record| record.decision.as_str()).collect();
    assert!(parents.is_subset(&asked), "a parent that is no call to a model");
    answers.into_iter().map(|(_, calls)| calls).collect()
}

/// What every pair of task and injection adds up to where each call is decided for itself.
fn sum(expected: &Count, tasks: usize, injections: usize) -> [[usize; 3]; 2] {
    let [through, asked, refused] = expected.injected;
    [
        expected.tasks.map(|count| count * injections),
        [expected.same + through, asked, refused].map(|count| count * tasks),
    ]
}

/// Sends every pair in every form, and holds what arrives and what is on record against the pure decision.
async fn every_pair(number: usize) {
    let (name, since) = (SUITES[number], Instant::now());
    let mut stage = Stage::set(name, Duration::from_millis(1)).await;
    let (mut expected, mut sums, mut answers) = (Vec::new(), [[0; 3]; 2], 0);
    let (tasks, injections) = (stage.suite.tasks.len(), stage.suite.injections.len());
    for (task, injection) in (0..tasks).flat_map(|task| (0..injections).map(move |other| (task, other))) {
        let (task, injection) = (&stage.suite.tasks[task], &stage.suite.injections[injection]);
        let what = format!("{name}, {} with {}", task.id, injection.id);
        let mixed = mixed(&stage.suite, &stage.pact, task, injection, &mut stage.dice);
        for mixed in &mixed {
            sums[usize::from(mixed.is_injected)][index(mixed.ruling)] += 1;
        }
        for speech in &SPEECHES {
            for is_streamed in [false, true] {
                let got = stage.answer(speech, is_streamed, &mixed).await;
                let what = format!("{what}, {}, streamed: {is_streamed}", speech.name);
                assert_judged(&got, &mixed, &what);
                let effect = |ruling| if ruling == Ruling::Allow { Effect::Sent } else { Effect::Refused };
                let call = |mixed: &Mixed| (mixed.call.name.clone(), mixed.ruling, effect(mixed.ruling));
                expected.push((what, mixed.iter().map(call).collect::<Vec<_>>()));
                answers += 1;
            }
        }
    }
    assert_eq!(sums, sum(&EXPECTED[number], tasks, injections), "{name}");
    expected.retain(|(_, calls)| !calls.is_empty());
    let records = stage.arena.records().await;
    let found = judged(&records);
    assert_eq!(found.len(), expected.len(), "{name}");
    for ((what, expected), found) in expected.iter().zip(found) {
        let expected: Vec<_> =
            expected.iter().map(|(name, ruling, effect)| (name.as_str(), *ruling, *effect)).collect();
        assert_eq!(found, expected, "{what}");
    }
    tell(name, (tasks, injections), sums, answers, since);
}

/// Past the harness, which shows what is printed only where a test fails.
fn tell(
    name: &str,
    (tasks, injections): (usize, usize),
    [ours, theirs]: [[usize; 3]; 2],
    answers: usize,
    since: Instant,
) {
    writeln!(
        std::io::stderr(),
        "agentdojo on the wire: {name}: {tasks} tasks x {injections} injections, {answers} answers; calls of tasks: \
         {} allowed, {} asked, {} refused; injected: {} allowed, {} asked, {} refused; {} ms",
        ours[0],
        ours[1],
        ours[2],
        theirs[0],
        theirs[1],
        theirs[2],
        since.elapsed().as_millis()
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_banking_pair_is_judged_as_decided() {
    every_pair(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_slack_pair_is_judged_as_decided() {
    every_pair(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_travel_pair_is_judged_as_decided() {
    every_pair(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_workspace_pair_is_judged_as_decided() {
    every_pair(3).await;
}

/// Says yes to what a task asks for, and no to everything else.
async fn attend(desk: Desk, suite: Arc<Suite>) {
    loop {
        for open in desk.questions().into_iter().filter(|open| open.state == "pending") {
            desk.answer(statement(&open.asked, means(&suite, &open.asked))).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn means(suite: &Suite, asked: &Asked) -> bool {
    let arguments = asked.question.fields.member("args");
    let mut calls = suite.tasks.iter().flat_map(|task| &task.calls);
    calls.any(|call| {
        let meant = read_json(written(call.args.get()).as_bytes(), &Bounds::default()).unwrap();
        call.function == asked.question.name && arguments == Some(&meant)
    })
}

fn statement(asked: &Asked, yes: bool) -> Statement {
    Statement {
        approval: asked.id.clone(),
        said: if yes { Answered::Granted } else { Answered::Refused },
        by: "emma".to_owned(),
        why: if yes { "I asked for it" } else { "I did not ask for that" }.to_owned(),
        agent: asked.question.agent.clone(),
        args_digest: asked.question.args_digest,
        pact_digest: asked.question.pact_digest,
        expires_at: asked.expires_at,
    }
}

/// Each task and each injection once, with a person there who knows what she asked for: every task comes to its end,
/// no injection that is asked about does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_knows_the_task_lets_all_of_it_through() {
    for name in SUITES {
        let mut stage = Stage::set(name, PATIENCE).await;
        let desk = stage.arena.sidecar.rooms.desk.clone();
        let person = tokio::spawn(attend(desk.clone(), Arc::clone(&stage.suite)));
        let (mut granted, mut refused) = (0, 0);
        for number in 0..stage.suite.tasks.len().max(stage.suite.injections.len()) {
            let task = &stage.suite.tasks[number % stage.suite.tasks.len()];
            let injection = &stage.suite.injections[number % stage.suite.injections.len()];
            let what = format!("{name}, {} with {}", task.id, injection.id);
            let mut mixed = mixed(&stage.suite, &stage.pact, task, injection, &mut stage.dice);
            for mixed in mixed.iter_mut().filter(|mixed| mixed.ruling == Ruling::Ask) {
                mixed.ruling = if mixed.is_needed { Ruling::Allow } else { Ruling::Deny };
                *(if mixed.is_needed { &mut granted } else { &mut refused }) += 1;
            }
            let speech = &SPEECHES[number % SPEECHES.len()];
            let got = stage.answer(speech, number % 2 == 0, &mixed).await;
            assert_judged(&got, &mixed, &what);
            let ours = mixed.iter().filter(|mixed| !mixed.is_injected);
            assert!(ours.clone().all(|mixed| got.calls.contains(&mixed.call)), "{what}: {got:?}");
        }
        person.abort();
        assert_eq!(desk.stats().granted, granted, "{name}");
        assert!(granted > 0 && refused > 0, "{name}: {granted} granted, {refused} refused");
    }
}
