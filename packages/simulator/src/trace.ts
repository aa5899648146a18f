import { START } from "./scheduler.ts";

/** What happened in a simulation, kept as data and only written out for a failure. */
export interface TraceEntry {
  readonly at: number;
  /** The process, or `store`. */
  readonly who: string;
  readonly what: string;
  readonly runId: string | null;
  readonly details: () => string;
}

/** What happened, in order. */
export class Trace {
  readonly #entries: TraceEntry[] = [];

  add(
    at: number,
    who: string,
    what: string,
    runId: string | null = null,
    details: () => string = none,
  ): void {
    this.#entries.push({ at, who, what, runId, details });
  }

  /** The last entries about a run, and those about whole processes between them. */
  about(runId: string | null, limit: number): readonly string[] {
    return this.#entries
      .filter((entry) => runId === null || entry.runId === null || entry.runId === runId)
      .slice(-limit)
      .map(({ at, who, what, runId: of, details }) => {
        const time = `${String(at - START).padStart(8)} ms  ${who.padEnd(10)} ${what}`;
        return `${time}${of === null ? "" : ` ${shortRun(of)}`} ${details()}`.trimEnd();
      });
  }
}

/** The end of a run id, which is enough to tell the runs of one simulation apart. */
export function shortRun(runId: string): string {
  return runId.slice(-6);
}

function none(): string {
  return "";
}
