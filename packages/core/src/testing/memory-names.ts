import {
  type HeldName,
  isTerminal,
  type ListNamesQuery,
  type NameClaim,
  type NamePage,
} from "../world/index.ts";
import { keepBytes } from "./bytes.ts";
import type { MemoryRun } from "./memory-run.ts";
import { SortedStrings } from "./sorted-strings.ts";

interface Entry {
  readonly run: MemoryRun;
  readonly claim: NameClaim;
  readonly held: HeldName;
}

/** The names of the memory World. One whose time has passed stays here until it is claimed again or its run is deleted. */
export class MemoryNames {
  readonly #entries = new Map<string, Entry>();
  readonly #sorted = new SortedStrings();

  /** Who has the name. */
  get(name: string, now: number): HeldName | null {
    const entry = this.#entries.get(name);
    return entry === undefined || isFree(entry, now) ? null : entry.held;
  }

  /** Gives the name to a run, whoever had it. */
  take(run: MemoryRun, claim: NameClaim, at: number): void {
    const { name, id, fingerprint } = claim;
    const before = this.#entries.get(name);
    before?.run.names.delete(before.claim.id);
    const { runId } = run.row;
    const held = { name, id, runId, fingerprint, data: keepBytes(claim.data), createdAt: at };
    this.#entries.set(name, { run, claim, held });
    this.#sorted.add(name);
    run.names.set(id, name);
  }

  /** Frees what the run has under this id. */
  release(run: MemoryRun, id: string): void {
    const name = run.names.get(id);
    if (name === undefined) return;
    run.names.delete(id);
    this.#entries.delete(name);
    this.#sorted.delete(name);
  }

  releaseAll(run: MemoryRun): void {
    for (const id of [...run.names.keys()]) this.release(run, id);
  }

  list({ prefix = "", runId, limit, cursor, now }: ListNamesQuery): NamePage {
    const names: HeldName[] = [];
    for (const name of this.#sorted.ascending(cursor)) {
      const held = this.get(name, now);
      if (held === null || !name.startsWith(prefix)) continue;
      if (runId !== undefined && held.runId !== runId) continue;
      if (names.length === limit) return { names, cursor: names.at(-1)?.name ?? null };
      names.push(held);
    }
    return { names, cursor: null };
  }
}

function isFree({ run, claim: { keepFor, freeAt } }: Entry, now: number): boolean {
  const { status, completedAt } = run.row;
  if (!isTerminal(status) || keepFor === null) return false;
  // A run that ended is free at once without times, whatever the clocks say.
  return (keepFor === 0 || (completedAt ?? 0) + keepFor <= now) && freeAt <= now;
}
