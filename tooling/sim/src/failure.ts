/** What a simulation can find. One name per law, so that a test can say which one a planted bug breaks. */
export type Law =
  | "journal order"
  | "journal grammar"
  | "row is the fold of the journal"
  | "invariants of a store"
  | "fencing"
  | "liveness of a parked run"
  | "idle runs are parked"
  | "calm clusters are prompt"
  | "tokens are unique"
  | "start keys are unique"
  | "mail is read once and in order"
  | "payloads are not lost"
  | "payloads are heard over generations"
  | "ids are given once"
  | "cancelled runs end"
  | "terminated runs end"
  | "what is shielded goes on"
  | "what a step writes is in its stream"
  | "at most once"
  | "a key executes once"
  | "one run goes on for another"
  | "children are started once"
  | "effects were asked for"
  | "results are told once and right"
  | "work after the end is done"
  | "locks have so many holders as their limit"
  | "fences rise"
  | "locks are granted in the order of asking"
  | "locks end with their runs"
  | "a restart keeps mail"
  | "records are written over what was read"
  | "bodies run under a lease"
  | "completed steps do not run again"
  | "attempts are counted"
  | "nobody spins"
  | "every run ends"
  | "workers close"
  | "cold replay"
  | "expected result"
  | "client answers"
  | "cleanup runs"
  | "no divergence"
  | "no engine errors";

/** A law was broken. */
export class LawBroken extends Error {
  readonly law: Law;
  readonly runId: string | null;

  constructor(law: Law, message: string, runId: string | null = null) {
    super(`${law}: ${message}`);
    this.law = law;
    this.runId = runId;
  }
}
