//! One screen of text from a status page.

use std::fmt::Write as _;

use crate::admin::Check;
use crate::admin::pages::{
    AgentLine, ApprovalLine, CollectorPart, LimitLine, Listed, NewsPart, PactLine, SpoolPart, Status,
};

/// The widest cell; longer text is cut.
const CELL_CHARS_MAX: usize = 100;

/// The page as text for a terminal.
pub(super) fn render(status: &Status) -> String {
    let mut out = String::new();
    let state = if status.readiness.ready { "ready" } else { "NOT READY" };
    let up = duration(status.uptime_s);
    line(&mut out, &format!("{}  pactgate {}  up {up}  {state}", plain(&status.id), plain(&status.version)));
    table(&mut out, None, status.readiness.checks.iter().map(check).collect());

    if let Some(why) = &status.config_not_loaded {
        line(&mut out, &format!("  the newest config is NOT in force: {}", plain(why)));
    }

    heading(&mut out, "Listeners");
    let listeners = status.listeners.iter().map(|listener| {
        let agent = listener.agent.as_ref().map_or("by credential".to_owned(), |a| format!("agent {a}"));
        vec![listener.mode.clone(), listener.address.clone(), agent]
    });
    table(&mut out, None, listeners.collect());

    heading(&mut out, "Pacts");
    if let Some(why) = &status.pacts.not_loaded {
        line(&mut out, &format!("  the newest files are NOT in force: {}", plain(why)));
    }
    let head = ["name", "version", "mode", "risk", "agents", "sha-256"];
    list(&mut out, &head, &status.pacts.pacts, pact);

    heading(&mut out, &format!("Agents: {}", news(&status.trust.news)));
    list(&mut out, &["agent", "tier", "stated", "score", "why"], &status.trust.agents, agent);

    heading(&mut out, "Limits used lately");
    list(&mut out, &["agent", "pact", "limit", "left", "one back every"], &status.limits.limits, limit);

    heading(&mut out, "Evidence");
    spool(&mut out, &status.spool);
    line(&mut out, &format!("  collector: {}", collector(status.collector.as_ref())));

    let open = status.approvals.open.total();
    heading(&mut out, &format!("Approvals: {open} open, {} calls waiting", status.approvals.waiting));
    list(&mut out, &["id", "agent", "action", "state", "until"], &status.approvals.open, approval);
    out
}

fn check(check: &Check) -> Vec<String> {
    let mark = if check.ok { "ok" } else { "FAILS" };
    vec![mark.to_owned(), check.name.clone(), check.detail.clone()]
}

fn pact(pact: &PactLine) -> Vec<String> {
    let digest: String = pact.digest.chars().take(12).collect();
    let agents = pact.agents.join(" ");
    vec![pact.name.clone(), pact.version.to_string(), pact.mode.clone(), pact.risk.clone(), agents, digest]
}

fn agent(agent: &AgentLine) -> Vec<String> {
    let tier = if agent.sunk { format!("{} (sunk)", agent.tier) } else { agent.tier.clone() };
    let score = agent.score.map_or("-".to_owned(), |score| format!("{score:.2}"));
    vec![agent.agent.clone(), tier, agent.stated.clone(), score, agent.why.clone()]
}

fn limit(limit: &LimitLine) -> Vec<String> {
    let left = format!("{} of {}", limit.remaining, limit.burst);
    let back = match limit.spacing_ms {
        short @ 0..1_000 => format!("{short} ms"),
        long => duration(long / 1_000),
    };
    vec![limit.agent.clone(), limit.pact.clone(), limit.limit.clone(), left, back]
}

fn approval(approval: &ApprovalLine) -> Vec<String> {
    let action = format!("{} {}", approval.kind, approval.name);
    let state = match (approval.state.as_str(), approval.delivered) {
        ("pending", false) => "not delivered",
        (state, _) => state,
    };
    let until = approval.expires_at.clone();
    vec![approval.id.clone(), approval.agent.clone(), action, state.to_owned(), until]
}

fn news(news: &NewsPart) -> String {
    let ago = duration(news.age_s.unwrap_or(0));
    let ceiling = plain(&news.ceiling);
    match news.state.as_str() {
        "fixed" => format!("the configuration fixes every tier at {ceiling}"),
        "heard" => format!("collector heard {ago} ago, tiers count up to {ceiling}"),
        "never" => format!("collector not heard in {ago}, tiers count up to {ceiling}"),
        _ => format!("nobody can say when the collector was heard, tiers count up to {ceiling}"),
    }
}

fn spool(out: &mut String, spool: &SpoolPart) {
    let SpoolPart { durable, acknowledged, .. } = spool;
    let waiting = durable.saturating_sub(*acknowledged);
    let age = spool.oldest_waiting_s.map(|s| format!(", the oldest for {}", duration(s))).unwrap_or_default();
    line(out, &format!("  {durable} records, {waiting} not yet at the collector{age}"));
    line(out, &format!("  {} on disk in {} files", bytes(spool.disk_bytes), spool.segments));
    if let Some(why) = &spool.problem {
        line(out, &format!("  NO RECORD CAN BE TAKEN: {}", plain(why)));
    }
    let troubles = [
        (spool.dropped, "records DROPPED"),
        (spool.refused, "calls refused for want of a record"),
        (spool.disk_errors, "failed writes"),
    ];
    for (count, what) in troubles.iter().filter(|(count, _)| *count > 0) {
        line(out, &format!("  {count} {what} since the start"));
    }
}

fn collector(part: Option<&CollectorPart>) -> String {
    let Some(part) = part else { return "none, by the configuration".to_owned() };
    let records = if part.delivering { "takes records" } else { "TAKES NO RECORDS" };
    let feed = if part.feed_open { "sends tiers" } else { "SENDS NO TIERS" };
    format!("{} {records}, {feed}", plain(&part.url))
}

fn list<T>(out: &mut String, head: &[&str], list: &Listed<T>, row: fn(&T) -> Vec<String>) {
    table(out, Some(head), list.entries.iter().map(row).collect());
    if list.left_out > 0 {
        line(out, &format!("  and {} more", list.left_out));
    }
}

/// Columns as wide as their widest cell.
fn table(out: &mut String, head: Option<&[&str]>, rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        line(out, "  none");
        return;
    }
    let head = head.map(|names| names.iter().map(ToString::to_string).collect());
    let rows: Vec<Vec<String>> =
        head.into_iter().chain(rows).map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "  {cell:<width$}");
        }
        line(out, &text);
    }
}

fn heading(out: &mut String, text: &str) {
    out.push('\n');
    line(out, text);
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// Text that does nothing to a terminal: names of actions come from agents, reasons from the collector.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == CELL_CHARS_MAX {
            shown.push('…');
            break;
        }
        let is_hidden = c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if is_hidden {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min {} s", seconds % 60),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn bytes(count: u64) -> String {
    // Tenths, so that no rounding shows 1024.0 of the smaller unit.
    let tenths = |unit: u64| format!("{}.{}", count / unit, count % unit * 10 / unit);
    match count {
        0..1_024 => format!("{count} bytes"),
        1_024..1_048_576 => format!("{} KiB", tenths(1 << 10)),
        1_048_576..1_073_741_824 => format!("{} MiB", tenths(1 << 20)),
        _ => format!("{} GiB", tenths(1 << 30)),
    }
}
