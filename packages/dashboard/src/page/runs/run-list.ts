import { type Signal, signal } from "@preact/signals";
import type { Counts, RunPage, RunRow } from "../../protocol.ts";

/**
 * The runs that fit a filter: the first page as the server tells of it, live, and older ones as the reader comes to them. Of those
 * the ones that are looked at are asked for again.
 */

/** Asks for the page of older runs that begins at a cursor. */
export type AskForOlder = (cursor: string) => Promise<RunPage>;

export class RunList {
  /** The newest first; `null` before the first page is there. */
  readonly rows: Signal<readonly RunRow[] | null> = signal(null);
  readonly counts: Signal<Counts | null> = signal(null);
  readonly damaged: Signal<RunPage["damaged"]> = signal([]);
  readonly trouble: Signal<string | null> = signal(null);
  readonly #ask: AskForOlder;
  /** Of the oldest page that is here: `undefined` before there is one, `null` after the last. */
  #cursor: string | null | undefined;
  #loading = false;
  /** The older pages that were loaded: how to ask for each, and with which run it began. */
  readonly #older: { readonly cursor: string; readonly first: RunRow }[] = [];
  /** The rows that are looked at: from, to. */
  #view: readonly [number, number] = [0, 0];

  constructor(ask: AskForOlder) {
    this.#ask = ask;
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

  /** Which rows the reader sees. */
  look = (first: number, last: number): void => {
    this.#view = [first, last];
  };

  /** Loads the next older page, if there is one. */
  more = async (): Promise<void> => {
    const cursor = this.#cursor;
    if (typeof cursor !== "string") return;
    await this.#load(cursor, (page, rows) => {
      const here = new Set(rows.map(({ runId }) => runId));
      const further = page.runs.filter(({ runId }) => !here.has(runId));
      const [first] = further;
      if (first !== undefined) this.#older.push({ cursor, first });
      this.#cursor = page.cursor;
      return [...rows, ...further];
    });
  };

  /** Asks again for the older pages in which the rows are that the reader sees. */
  refresh = async (): Promise<void> => {
    const seen = this.#view.map((index) => this.rows.value?.[index]);
    const pages = seen.map((run) => run && this.#older.findLast(({ first }) => !comesBefore(run, first)));
    for (const page of new Set(pages)) {
      if (page === undefined) continue;
      await this.#load(page.cursor, ({ runs, cursor }, rows) => {
        const last = runs.at(-1);
        const before = rows.filter((run) => comesBefore(run, page.first));
        const after = rows.filter((run) => cursor !== null && last !== undefined && comesBefore(last, run));
        return [...before, ...runs, ...after];
      });
    }
  };

  /** Asks for an older page, and puts it and the rows that are here together. One at a time: who comes meanwhile comes again. */
  async #load(
    cursor: string,
    join: (page: RunPage, rows: readonly RunRow[]) => readonly RunRow[],
  ): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      const page = await this.#ask(cursor);
      this.rows.value = join(page, this.rows.value ?? []);
    } catch (error) {
      this.trouble.value = error instanceof Error ? error.message : String(error);
    }
    this.#loading = false;
  }
}

/** The order of lists: the newest first, and of one millisecond the greater id. */
function comesBefore(one: RunRow, other: RunRow): boolean {
  if (one.createdAt !== other.createdAt) return one.createdAt > other.createdAt;
  return one.runId > other.runId;
}
