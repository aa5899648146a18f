import { decode, type MemoryState } from "@perdure/core/testing";
import { isTerminal, type Message, type RunRecord } from "@perdure/core/world";
import type { Checks } from "./checks.ts";
import { REPLACED } from "./config.ts";
import { LawBroken } from "./failure.ts";
import type { RunFold } from "./fold.ts";
import { goesOnFor } from "./line.ts";

/** The laws about messages that runs send each other: each was asked for, and arrives once. */

/** A message that no client sent was asked for by a run, or follows from the end of one. */
export function checkAskedFor(
  { messageId, to, type, data }: Message,
  state: MemoryState,
  checks: Pick<Checks, "fold" | "locks">,
  woken: ReadonlySet<string>,
): void {
  if (!("runId" in to)) return;
  const broken = (what: string): never => {
    throw new LawBroken("effects were asked for", `${type} to run ${to.runId}: ${what}`, to.runId);
  };
  const foldOf = (runId: string): RunFold | undefined => checks.fold(runId);
  const watches = (runId: string, id: string, watched: string): boolean => {
    const call = foldOf(runId)?.asked.get(id);
    return call?.name === "watch_run" && goesOnFor(state, watched, String(call.input));
  };
  if (type === "watch") {
    const watcher = decode(data) as { readonly runId: string; readonly id: string };
    if (!watches(watcher.runId, watcher.id, to.runId)) broken(`run ${watcher.runId} does not watch it`);
  }
  if (type === "waits") {
    const waiter = decode(data) as { readonly runId: string; readonly id: string };
    if (foldOf(waiter.runId)?.asked.get(waiter.id)?.name !== "run_once")
      broken(`run ${waiter.runId} does not wait`);
  }
  if (type === "stop_sleep" && !woken.has(to.runId)) broken("nobody ends its sleeps");
  if (type === "system_step_result" && foldOf(to.runId)?.asked.get(to.id ?? "")?.name === "acquire_lock") {
    const { fence } = decode(data) as { readonly fence?: number };
    if (fence !== undefined && !checks.locks.isGranted(to.runId, to.id ?? "", fence))
      broken(`the lock was not granted with fence ${fence}`);
  } else if (type === "system_step_result") {
    const { runId, status } = decode(data) as RunRecord;
    const row = state.runs.get(runId)?.row;
    if (!watches(to.runId, to.id ?? "", runId)) broken(`it does not watch run ${runId}`);
    if (row?.status !== status || !isTerminal(status))
      broken(`run ${runId} is ${row?.status}, not ${status}`);
  }
  if (type === "cancel_requested" && !messageId.startsWith("msg_") && !messageId.startsWith("sys_")) {
    const target = state.runs.get(to.runId)?.row;
    // Another run has the key under which it was to be started.
    if (target === undefined) return;
    // Another start takes its place.
    if (target.idempotencyKey === REPLACED) return;
    const { $parent: parent = "" } = target.attributes;
    const status = state.runs.get(parent)?.row.status;
    const child = foldOf(parent)?.children.find(({ runId }) => goesOnFor(state, to.runId, runId));
    const isCancelled = [...state.runs.values()].some(
      ({ row }) => row.status === "cancelled" && goesOnFor(state, row.runId, parent),
    );
    const due =
      child?.onParentEnd === "cancel" ||
      (child !== undefined && child.onParentEnd === undefined && isCancelled);
    if (status === undefined || !isTerminal(status) || !due) broken(`its parent is ${status}`);
  }
}

/** After a delivery: nothing is told twice to the same place of a run. */
export function checkToldOnce({ to, type, data }: Message, state: MemoryState): void {
  if (!("runId" in to) || to.id === undefined) return;
  // A lock may be granted to one who was told of a deadlock.
  const isGrant = (bytes: Uint8Array | null): boolean =>
    Object.hasOwn((decode(bytes) as object | null) ?? {}, "fence");
  const told = state.runs
    .get(to.runId)
    ?.mailbox.filter(
      (mail) => mail.id === to.id && mail.type === type && isGrant(mail.data) === isGrant(data),
    );
  if ((told?.length ?? 0) < 2) return;
  throw new LawBroken("results are told once and right", `${type} came twice to ${to.id}`, to.runId);
}
