import { decode, type MemoryState } from "@perdure/core/testing";
import type { Message } from "@perdure/core/world";
import { LawBroken } from "./failure.ts";

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
