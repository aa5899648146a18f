import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { PATHS } from "../protocol.ts";
import { get, messageOf, pathOf } from "./api.ts";
import { useEvery } from "./resource.ts";

/** A list that comes in pages, and whose first page is asked for again while it is looked at. */

const PAGE = 100;
const LOOK_AGAIN = 5_000;

export interface Paged<Row> {
  /** `null` before the first page is there. */
  readonly rows: ReadonlySignal<readonly Row[] | null>;
  /** There are no more. */
  readonly whole: ReadonlySignal<boolean>;
  readonly error: ReadonlySignal<string | null>;
  /** Loads the next page, if there is one. */
  readonly more: () => void;
  /** Asks for the first page again. */
  readonly reload: () => void;
}

class Pages<Row> implements Paged<Row> {
  readonly rows: Signal<readonly Row[] | null> = signal(null);
  readonly whole: Signal<boolean> = signal(true);
  readonly error: Signal<string | null> = signal(null);
  readonly #path: keyof typeof PATHS;
  readonly #field: string;
  readonly #idOf: (row: Row) => string;
  #cursor: string | null = null;
  #busy = false;

  constructor(path: keyof typeof PATHS, field: string, idOf: (row: Row) => string) {
    this.#path = path;
    this.#field = field;
    this.#idOf = idOf;
  }

  more = (): void => {
    if (this.#cursor !== null) void this.#load(this.#cursor);
  };

  /** Once there are more pages, what is there stays: the reader is somewhere in it. */
  reload = (): void => {
    if ((this.rows.value?.length ?? 0) <= PAGE) void this.#load(null);
  };

  async #load(cursor: string | null): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const answer = await get<Record<string, unknown>>(pathOf(this.#path, {}, { limit: PAGE, cursor }));
      const page = answer[this.#field] as readonly Row[];
      const before = cursor === null ? [] : (this.rows.value ?? []);
      const here = new Set(before.map(this.#idOf));
      this.rows.value = [...before, ...page.filter((row) => !here.has(this.#idOf(row)))];
      this.#cursor = answer.cursor as string | null;
      this.whole.value = this.#cursor === null;
      this.error.value = null;
    } catch (error) {
      this.error.value = messageOf(error);
    }
    this.#busy = false;
  }
}

/** The rows under a path of the API: `field` is where an answer has them. */
export function usePages<Row>(
  path: keyof typeof PATHS,
  field: string,
  idOf: (row: Row) => string,
): Paged<Row> {
  const pages = useMemo(() => new Pages<Row>(path, field, idOf), [path, field]);
  useEffect(() => pages.reload(), [pages]);
  useEvery(LOOK_AGAIN, pages.reload);
  return pages;
}
