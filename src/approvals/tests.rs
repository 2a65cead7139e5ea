//! The desk against answers, time, restarts and crowds.

use std::sync::Arc;
use std::time::Duration;

use crate::approvals::{Answer, Asked, Desk, NotTaken, Question, Said, Settings, Statement, Ticket};
use crate::domain::{
    ActionKind, AgentId, ApprovalId, ClauseId, Clock as _, Digest, Json, ManualClock, PactName, Timestamp,
    TrustTier,
};
const START: i64 = 1_800_000_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

struct Room {
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
    settings: Settings,
}

fn room() -> Room {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { spent_file: Some(folder.path().join("spent")), ..Settings::default() };
    Room { clock: Arc::new(ManualClock::at(Timestamp::from_micros(START))), folder, settings }
}

impl Room {
    fn desk(&self) -> Desk {
        Desk::open(self.settings.clone(), self.clock.clone()).unwrap()
    }

    fn question(&self, name: &str) -> Question {
        Question {
            agent: AgentId::new("a").unwrap(),
            pact: PactName::new("p").unwrap(),
            pact_digest: Digest::of(b"pact"),
            clauses: vec![ClauseId::new("c").unwrap()],
            kind: ActionKind::Tool,
            name: name.to_owned(),
            args_digest: Digest::of(b"args"),
            fields: Json::Null,
            approvers: vec![],
            tier: TrustTier::Standard,
            asked_at: self.clock.now(),
        }
    }
}

fn said(ticket: &Ticket, said: Said) -> Statement {
    let Asked { id, question, expires_at } = &*ticket.asked;
    Statement {
        approval: id.clone(),
        said,
        by: "ann".to_owned(),
        why: "fine".to_owned(),
        agent: question.agent.clone(),
        args_digest: question.args_digest,
        pact_digest: question.pact_digest,
        expires_at: *expires_at,
    }
}

fn is_granted(answer: &Answer) -> bool {
    matches!(answer, Answer::Granted(_))
}

#[tokio::test(start_paused = true)]
async fn held_call_resumes_after_approval() {
    let room = room();
    let desk = room.desk();
    let ticket = desk.ask(room.question("t")).unwrap();
    let statement = said(&ticket, Said::Granted);
    let held = tokio::spawn(ticket.wait(30 * SECOND));
    tokio::time::sleep(SECOND).await;
    assert_eq!(desk.stats().waiting, 1);
    desk.answer(statement).unwrap();
    let Answer::Granted(grant) = held.await.unwrap() else { panic!("granted") };
    assert_eq!(grant.by(), "ann");
    assert_eq!((desk.stats().open, desk.stats().waiting, desk.stats().granted), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn unanswered_call_goes_and_its_next_attempt_uses_the_grant_once() {
    let room = room();
    let desk = room.desk();
    let first = desk.ask(room.question("t")).unwrap();
    let (id, statement) = (first.id().clone(), said(&first, Said::Granted));
    assert_eq!(first.wait(SECOND).await, Answer::Unanswered);
    desk.answer(statement.clone()).unwrap();
    let second = desk.ask(room.question("t")).unwrap();
    assert_eq!(second.id(), &id);
    assert!(is_granted(&second.wait(Duration::ZERO).await));
    let third = desk.ask(room.question("t")).unwrap();
    assert_ne!(third.id(), &id);
    assert_eq!(third.wait(SECOND).await, Answer::Unanswered);
    assert_eq!(desk.answer(statement), Err(NotTaken::Unknown), "a replay");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_asks_the_same_gets_one_grant() {
    let room = room();
    let desk = room.desk();
    let tickets: Vec<_> = (0..100).map(|_| desk.ask(room.question("t")).unwrap()).collect();
    assert_eq!(desk.stats().asked, 1);
    let statement = said(&tickets[0], Said::Granted);
    let held: Vec<_> = tickets.into_iter().map(|ticket| tokio::spawn(ticket.wait(30 * SECOND))).collect();
    tokio::time::sleep(SECOND).await;
    desk.answer(statement).unwrap();
    let mut answers = Vec::new();
    for held in held {
        answers.push(held.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| is_granted(answer)).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Answer::Spent).count(), 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_race_for_a_grant_get_it_once() {
    let room = room();
    let desk = room.desk();
    for round in 0..20 {
        let name = format!("t{round}");
        let tickets: Vec<_> = (0..16).map(|_| desk.ask(room.question(&name)).unwrap()).collect();
        let statement = said(&tickets[0], Said::Granted);
        let held: Vec<_> = tickets.into_iter().map(|ticket| tokio::spawn(ticket.wait(60 * SECOND))).collect();
        desk.answer(statement).unwrap();
        let mut granted = 0;
        for held in held {
            granted += usize::from(is_granted(&held.await.unwrap()));
        }
        assert_eq!(granted, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_holds_until_the_question_ends() {
    let room = room();
    let desk = room.desk();
    let ticket = desk.ask(room.question("t")).unwrap();
    desk.answer(said(&ticket, Said::Refused)).unwrap();
    let no = Answer::Refused { by: "ann".to_owned(), why: "fine".to_owned() };
    assert_eq!(ticket.wait(SECOND).await, no);
    let again = desk.ask(room.question("t")).unwrap();
    assert_eq!(desk.answer(said(&again, Said::Granted)), Err(NotTaken::Late));
    assert_eq!(again.wait(SECOND).await, no);
    room.clock.advance(room.settings.expire);
    assert_eq!(desk.ask(room.question("t")).unwrap().wait(SECOND).await, Answer::Unanswered);
}

#[tokio::test(start_paused = true)]
async fn a_grant_can_be_taken_back_before_it_is_used() {
    let room = room();
    let desk = room.desk();
    let ticket = desk.ask(room.question("t")).unwrap();
    desk.answer(said(&ticket, Said::Granted)).unwrap();
    desk.answer(said(&ticket, Said::Refused)).unwrap();
    assert!(matches!(ticket.wait(SECOND).await, Answer::Refused { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_anything_else_is_no_answer() {
    let room = room();
    let desk = room.desk();
    let ticket = desk.ask(room.question("t")).unwrap();
    let right = said(&ticket, Said::Granted);
    let wrong = [
        Statement { agent: AgentId::new("b").unwrap(), ..right.clone() },
        Statement { args_digest: Digest::of(b"other"), ..right.clone() },
        Statement { pact_digest: Digest::of(b"other"), ..right.clone() },
    ];
    for statement in wrong {
        assert_eq!(desk.answer(statement), Err(NotTaken::Mismatch));
    }
    let unknown = Statement { approval: ApprovalId::new("ask-0").unwrap(), ..right.clone() };
    assert_eq!(desk.answer(unknown), Err(NotTaken::Unknown));
    let over = Statement { expires_at: room.clock.now(), ..right };
    assert_eq!(desk.answer(over), Err(NotTaken::Late));
    assert_eq!(desk.stats().not_taken, 5);
    assert_eq!(ticket.wait(SECOND).await, Answer::Unanswered);
}

#[tokio::test(start_paused = true)]
async fn a_question_differs_by_agent_action_arguments_and_pact() {
    let room = room();
    let desk = room.desk();
    let base = room.question("t");
    let others = [
        Question { agent: AgentId::new("b").unwrap(), ..base.clone() },
        Question { kind: ActionKind::Http, ..base.clone() },
        Question { name: "u".to_owned(), ..base.clone() },
        Question { args_digest: Digest::of(b"other"), ..base.clone() },
        Question { pact_digest: Digest::of(b"other"), ..base.clone() },
    ];
    let mut ids = vec![desk.ask(base.clone()).unwrap().id().clone()];
    for other in others {
        ids.push(desk.ask(other).unwrap().id().clone());
    }
    let same = Question { tier: TrustTier::Probation, clauses: vec![], ..base };
    assert_eq!(desk.ask(same).unwrap().id(), &ids[0]);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn time_ends_questions_and_grants_whatever_the_wall_clock_says() {
    let room = room();
    let desk = room.desk();
    let pending = desk.ask(room.question("pending")).unwrap();
    let granted = desk.ask(room.question("granted")).unwrap();
    desk.answer(said(&granted, Said::Granted)).unwrap();
    let short = desk.ask(room.question("short")).unwrap();
    let soon = room.clock.now().plus(SECOND);
    desk.answer(Statement { expires_at: soon, ..said(&short, Said::Granted) }).unwrap();
    room.clock.advance(SECOND);
    room.clock.jump_to(Timestamp::from_micros(START));
    assert_eq!(short.wait(SECOND).await, Answer::Expired);
    room.clock.advance(room.settings.expire);
    room.clock.jump_to(Timestamp::from_micros(START));
    let late = said(&pending, Said::Granted);
    assert_eq!(pending.wait(SECOND).await, Answer::Expired);
    assert_eq!(granted.wait(SECOND).await, Answer::Expired);
    assert_eq!(desk.answer(late), Err(NotTaken::Unknown));
    let id = desk.ask(room.question("granted")).unwrap().id().clone();
    assert!(desk.outbox(9).iter().any(|asked| asked.id == id), "asked anew, under a new id");
}

#[tokio::test(start_paused = true)]
async fn a_restart_asks_under_the_same_id_and_never_revives_a_used_grant() {
    let room = room();
    let desk = room.desk();
    let open = desk.ask(room.question("open")).unwrap();
    let used = desk.ask(room.question("used")).unwrap();
    let (open_id, used_id) = (open.id().clone(), used.id().clone());
    desk.answer(said(&used, Said::Granted)).unwrap();
    assert!(is_granted(&used.wait(SECOND).await));
    drop((open, desk));

    let desk = room.desk();
    assert_eq!(desk.ask(room.question("open")).unwrap().id(), &open_id);
    assert_ne!(desk.ask(room.question("used")).unwrap().id(), &used_id);
    drop(desk);

    std::fs::remove_file(room.folder.path().join("spent")).unwrap();
    let desk = room.desk();
    let asked = desk.ask(room.question("used")).unwrap();
    assert_ne!(asked.id(), &used_id, "a lost file voids the old grants");
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_use_cannot_be_recorded_does_not_count() {
    let room = room();
    let desk = room.desk();
    let broken = std::io::Error::other("no disk");
    let ticket = desk.ask(room.question("t")).unwrap();
    desk.answer(said(&ticket, Said::Granted)).unwrap();
    desk.fail_next_record(broken);
    assert_eq!(ticket.wait(SECOND).await, Answer::Unrecorded);
    let again = desk.ask(room.question("t")).unwrap();
    assert_eq!(again.wait(SECOND).await, Answer::Unanswered);
    assert_eq!(desk.stats().unrecorded, 1);
}

#[tokio::test(start_paused = true)]
async fn questions_and_waiters_are_bounded_and_one_agent_cannot_fill_the_desk() {
    let mut room = room();
    room.settings.questions_max = 3;
    room.settings.questions_per_agent_max = 2;
    room.settings.waiters_max = 1;
    let desk = room.desk();
    let first = desk.ask(room.question("t1")).unwrap();
    let second = desk.ask(room.question("t2")).unwrap();
    assert!(desk.ask(room.question("t3")).is_err());
    let of_b = |name: &str| Question { agent: AgentId::new("b").unwrap(), ..room.question(name) };
    let _ = desk.ask(of_b("t1")).unwrap();
    assert!(desk.ask(of_b("t2")).is_err());
    assert_eq!(desk.stats().overflows, 2);

    let held = tokio::spawn(first.wait(30 * SECOND));
    tokio::time::sleep(SECOND).await;
    let start = tokio::time::Instant::now();
    assert_eq!(second.wait(30 * SECOND).await, Answer::Unanswered);
    assert_eq!(start.elapsed(), Duration::ZERO);
    held.abort();
    let _ = held.await;
    assert_eq!(desk.stats().waiting, 0);

    room.clock.advance(room.settings.expire);
    assert!(desk.ask(of_b("t3")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_outbox_holds_what_the_collector_has_not_got() {
    let room = room();
    let desk = room.desk();
    let asked = desk.ask(room.question("t1")).unwrap();
    room.clock.advance(SECOND);
    let answered = desk.ask(room.question("t2")).unwrap();
    desk.answer(said(&answered, Said::Granted)).unwrap();
    room.clock.advance(SECOND);
    let _ = desk.ask(room.question("t3")).unwrap();
    desk.wait_outbox().await;
    let names =
        |most| -> Vec<_> { desk.outbox(most).iter().map(|asked| asked.question.name.clone()).collect() };
    assert_eq!(names(9), ["t1", "t3"]);
    assert_eq!(names(1), ["t1"]);
    desk.delivered(asked.id());
    assert_eq!(names(9), ["t3"]);
    let shown: Vec<_> = desk.questions().iter().map(|open| (open.state, open.is_delivered)).collect();
    assert_eq!(shown, [("pending", true), ("granted", true), ("pending", false)]);
}

#[tokio::test(start_paused = true)]
async fn long_fields_are_left_out_and_the_question_says_so() {
    let room = room();
    let desk = room.desk();
    let fields = Json::String("x".repeat(20_000));
    let _ = desk.ask(Question { fields, ..room.question("t") }).unwrap();
    let outbox = desk.outbox(1);
    assert_eq!(outbox[0].question.fields, Json::String("left out: longer than 16384 bytes".to_owned()));
}
