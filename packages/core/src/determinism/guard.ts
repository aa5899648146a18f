/**
 * The determinism guard: while it is installed, the globals that tell time, make randomness, wait or talk to the network
 * answer a workflow from its journal, or refuse. Everywhere else they are what they were, for the price of one look-up.
 *
 * It covers the globals and the properties of Node's modules, and with them what other modules import from those by name.
 * What was copied out of them before the installation, by `const { randomBytes } = require("crypto")` or
 * `class Day extends Date`, is out of its reach: docs/determinism.md says what that means.
 */
import { syncBuiltinESMExports } from "node:module";
import type { GuardedContext, Lookup } from "./context.ts";
import { SLOTS } from "./globals.ts";
import type { Slot } from "./slot.ts";

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
  /** The layer of each slot that answers. */
  readonly tops: Map<Slot, Layer>;
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
  installed ??= { lookups: [], users: new Map(), layers: [], tops: new Map() };
  const installation = installed;
  const users = installation.users.get(lookup) ?? 0;
  if (users === 0) installation.lookups.push(lookup);
  installation.users.set(lookup, users + 1);
  layOverAll(SLOTS, installation);
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
    syncBuiltinESMExports();
  };
}

/**
 * Puts the guard back on top of globals that somebody else has replaced since, such as a test's fake timers. Cheap;
 * the engine calls it before it lets a workflow run. Does nothing while the guard is not installed.
 */
export function refreshGuard(): void {
  if (installed !== undefined && !isOnTop(installed)) layOverAll(REFRESHED, installed);
}

/** Whether nothing was replaced. Asked at every tick, so it does without what {@link layOver} needs for a change. */
function isOnTop({ tops }: Installation): boolean {
  for (const slot of REFRESHED) {
    const holder = slot.holder() as Record<string, unknown> | undefined;
    if (holder !== undefined && holder[slot.key] !== tops.get(slot)?.ours) return false;
  }
  return true;
}

/** What tests replace, and not to mock it. */
const REFRESHED = SLOTS.filter(({ mockable, accessor }) => !mockable && !accessor);

function layOverAll(slots: readonly Slot[], installation: Installation): void {
  let changed = false;
  for (const slot of slots) if (layOver(slot, installation)) changed = true;
  // Named imports of Node's modules are copies of their properties.
  if (changed) syncBuiltinESMExports();
}

/** True if something was replaced. */
function layOver(slot: Slot, { layers, tops, lookups }: Installation): boolean {
  const { key, accessor } = slot;
  const holder = slot.holder();
  if (holder === undefined) return false;
  const current = currentOf(slot, holder);
  if (current === tops.get(slot)?.ours) return false;
  const known = layers.find((layer) => layer.slot === slot && layer.ours === current);
  if (known !== undefined) {
    dropLayersOver(known, layers);
    tops.set(slot, known);
    return true;
  }
  if (typeof current !== "function") return false;
  const before = Object.getOwnPropertyDescriptor(holder, key);
  const ours = slot.guard(current as never, () => contextOf(lookups));
  Object.defineProperty(holder, key, {
    ...(accessor ? { ...before, get: ours as () => unknown } : { value: ours, writable: true }),
    configurable: true,
    enumerable: before?.enumerable ?? false,
  });
  const layer = { slot, holder, before, ours };
  layers.push(layer);
  tops.set(slot, layer);
  return true;
}

function currentOf({ key, accessor }: Slot, holder: object): unknown {
  return accessor ? Object.getOwnPropertyDescriptor(holder, key)?.get : Reflect.get(holder, key);
}

/** Forgets layers above one that is on top again, as when fake timers were put away. */
function dropLayersOver(top: Layer, layers: Layer[]): void {
  for (let at = layers.length - 1; layers[at] !== top; at--) {
    const layer = layers[at] as Layer;
    if (layer.slot !== top.slot) continue;
    layers.splice(at, 1);
    putBack(layer);
  }
}

function putBack({ slot, holder, before, ours }: Layer): void {
  if (currentOf(slot, holder) !== ours) return;
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
