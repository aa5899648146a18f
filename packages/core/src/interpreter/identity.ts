import { type EntityKind, entityId } from "../ids.ts";

/** From what the ids and random numbers of a run are made: itself or, for what it has from another run, that one. */

/** A generation of a run. */
export interface Identity {
  readonly runId: string;
  readonly generation: number;
}

/** The run from which another has the beginning of its journal. */
export interface Origin extends Identity {
  /** The last event of the new run's journal that it has from there. */
  readonly until: number;
  /** How many entities of each kind and name those events are about; their ids stay. */
  readonly counts: Readonly<Record<string, number>>;
  /** Those among them that get ids of the new run, as {@link entityKey} and number. */
  readonly renewed: readonly string[];
  /** The run goes on for that one: it draws the random numbers that were drawn there. */
  readonly retried: boolean;
  /** The origin's own origin. */
  readonly origin: Origin | null;
}

/** What entities of one kind and name are counted under. */
export function entityKey(kind: EntityKind, name: string): string {
  return `${kind}\0${name}`;
}

/** Which run an entity is of: the run itself or, for what it has from another one, that one. */
export function ownerOf(
  kind: EntityKind,
  name: string,
  count: number,
  self: Identity,
  origin: Origin | null,
): Identity {
  const key = entityKey(kind, name);
  const inherited =
    origin !== null && count <= (origin.counts[key] ?? 0) && !origin.renewed.includes(`${key}\0${count}`);
  return inherited ? ownerOf(kind, name, count, origin, origin.origin) : self;
}

/** The id of an entity. */
export function idOf(
  kind: EntityKind,
  name: string,
  count: number,
  self: Identity,
  origin: Origin | null,
): string {
  return entityId(kind, ownerOf(kind, name, count, self, origin), name, count);
}

/** The run that has an event of the journal from the beginning: itself, or the one that it has its journal from. */
export function runOfEvent(seq: number, runId: string, origin: Origin | null): string {
  return origin !== null && seq <= origin.until ? runOfEvent(seq, origin.runId, origin.origin) : runId;
}

/**
 * The seed of the random numbers that code draws when it is told an event of the journal. In a retry it is that of the run which
 * failed: what was asked for with such a number is asked for with the same.
 */
export function seedAfter(seq: number, { runId, generation }: Identity, origin: Origin | null): string {
  if (origin !== null && (origin.retried || seq <= origin.until))
    return seedAfter(seq, origin, origin.origin);
  return generation === 0 ? runId : `${runId}/${generation}`;
}
