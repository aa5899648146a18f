import { type Signal, signal } from "@preact/signals";
import type { Counts, RunPage, RunRow } from "../../protocol.ts";
import { get, messageOf, pathOf, type Query } from "../api.ts";

/** The runs that fit a filter: the first page as the server tells of it, live, and older ones as the reader comes to them. */

/** The rows that the server keeps live, and that one more page has. */
const PAGE = 100;

export class RunList {
  /** The newest first; `null` before the first page is there. */
  readonly rows: Signal<readonly RunRow[] | null> = signal(null);
  readonly counts: Signal<Counts | null> = signal(null);
  readonly damaged: Signal<RunPage["damaged"]> = signal([]);
  readonly trouble: Signal<string | null> = signal(null);
  /** Where the live events of this list are. */
  readonly liveUrl: string;
  readonly #query: Query;
  /** Of the oldest page that is here: `undefined` before there is one, `null` after the last. */
  #cursor: string | null | undefined;
  #loading = false;

  constructor(query: Query) {
    this.#query = query;
    this.liveUrl = pathOf("liveRuns", {}, { ...query, limit: PAGE });
  }

  /** The first page as it is now. What was loaded below it stays. */
  firstPage = ({ runs, damaged, cursor }: RunPage): void => {
    const before = this.rows.value ?? [];
    const last = runs.at(-1);
    const older = cursor === null || last === undefined ? [] : before.filter((run) => comesBefore(last, run));
    if (older.length === 0) this.#cursor = cursor;
    this.rows.value = [...runs, ...older];
    this.damaged.value = damaged;
    this.trouble.value = null;
  };

  /** Loads the next older page, if there is one. */
  more = async (): Promise<void> => {
    if (this.#loading || typeof this.#cursor !== "string") return;
    this.#loading = true;
    try {
      const cursor = this.#cursor;
      const page = await get<RunPage>(pathOf("runs", {}, { ...this.#query, limit: PAGE, cursor }));
      const rows = this.rows.value ?? [];
      const here = new Set(rows.map(({ runId }) => runId));
      this.rows.value = [...rows, ...page.runs.filter(({ runId }) => !here.has(runId))];
      this.#cursor = page.cursor;
    } catch (error) {
      this.trouble.value = messageOf(error);
    }
    this.#loading = false;
  };
}

/** The order of lists: the newest first, and of one millisecond the greater id. */
function comesBefore(one: RunRow, other: RunRow): boolean {
  if (one.createdAt !== other.createdAt) return one.createdAt > other.createdAt;
  return one.runId > other.runId;
}
