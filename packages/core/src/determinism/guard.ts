/**
 * The determinism guard: while it is installed, the globals that tell time, make randomness, wait or talk to the network
 * answer a workflow from its journal, or refuse. Everywhere else they are what they were, for the price of one look-up.
 *
 * It covers globals. What a module imports by name (`randomUUID` of `node:crypto`, `setTimeout` of `node:timers`) was
 * bound before anybody could replace it; the compiler names such calls in workflows.
 */
import type { GuardedContext, Lookup } from "./context.ts";
import { SLOTS, type Slot } from "./globals.ts";

/** One replacement that the guard made. */
interface Layer {
  readonly slot: Slot;
  readonly holder: object;
  readonly before: PropertyDescriptor | undefined;
  readonly ours: unknown;
}

/** One life of the guard, from its first installation to its last restoration. */
interface Installation {
  /** Each once, whatever the number of workers that gave it. */
  readonly lookups: Lookup[];
  readonly users: Map<Lookup, number>;
  readonly layers: Layer[];
}

let installed: Installation | undefined;

/**
 * Installs the guard, or, if it is installed, adds a look-up to it.
 *
 * @param lookup called on every use of a guarded global; must be cheap
 * @returns takes the look-up out again; the last one to do so puts the original globals back. What somebody else has
 *   replaced meanwhile is left to them; ours below it then only passes through. Calling it twice does nothing.
 */
export function installGuard(lookup: Lookup): () => void {
  installed ??= { lookups: [], users: new Map(), layers: [] };
  const installation = installed;
  const users = installation.users.get(lookup) ?? 0;
  if (users === 0) installation.lookups.push(lookup);
  installation.users.set(lookup, users + 1);
  for (const slot of SLOTS) layOver(slot, installation);
  let done = false;
  return () => {
    if (done) return;
    done = true;
    const left = (installation.users.get(lookup) ?? 1) - 1;
    installation.users.set(lookup, left);
    if (left > 0) return;
    installation.lookups.splice(installation.lookups.indexOf(lookup), 1);
    if (installation.lookups.length > 0) return;
    installed = undefined;
    for (const layer of installation.layers.reverse()) putBack(layer);
  };
}

/**
 * Puts the guard back on top of globals that somebody else has replaced since, such as a test's fake timers. Cheap;
 * the engine calls it before it lets a workflow run. Does nothing while the guard is not installed.
 */
export function refreshGuard(): void {
  if (installed === undefined) return;
  for (const slot of SLOTS) {
    if (!slot.mockable) layOver(slot, installed);
  }
}

function layOver(slot: Slot, { layers, lookups }: Installation): void {
  const holder = slot.holder();
  const current: unknown = Reflect.get(holder, slot.key);
  if (layers.some((layer) => layer.slot === slot && layer.ours === current)) {
    dropLayersOver(slot, current, layers);
    return;
  }
  const before = Object.getOwnPropertyDescriptor(holder, slot.key);
  const ours = slot.guard(current as never, () => contextOf(lookups));
  const enumerable = before?.enumerable ?? false;
  Object.defineProperty(holder, slot.key, { value: ours, writable: true, configurable: true, enumerable });
  layers.push({ slot, holder, before, ours });
}

/** Forgets layers above one that is on top again, as when fake timers were put away. */
function dropLayersOver(slot: Slot, top: unknown, layers: Layer[]): void {
  for (let at = layers.length - 1; at >= 0; at--) {
    const layer = layers[at] as Layer;
    if (layer.slot !== slot) continue;
    if (layer.ours === top) return;
    layers.splice(at, 1);
    putBack(layer);
  }
}

function putBack({ slot, holder, before, ours }: Layer): void {
  if (Reflect.get(holder, slot.key) !== ours) return;
  if (before === undefined) Reflect.deleteProperty(holder, slot.key);
  else Object.defineProperty(holder, slot.key, before);
}

function contextOf(lookups: readonly Lookup[]): GuardedContext | undefined {
  for (const lookup of lookups) {
    const context = lookup();
    if (context !== undefined) return context;
  }
  return undefined;
}
