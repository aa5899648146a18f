import type { JSX } from "preact";
import type { RunStatus } from "../../protocol.ts";
import { Icon } from "./icons.tsx";

/** The status of a run: a shape and a word, in its colour. */

export const STATUSES: readonly RunStatus[] = [
  "running",
  "pending",
  "diverged",
  "failed",
  "cancelled",
  "completed",
];

/** Whether a run in this status does nothing more. */
export function hasEnded(status: RunStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

export function Status({ status }: { readonly status: RunStatus }): JSX.Element {
  return (
    <span class={`status is-${status}`}>
      <Icon name={status} />
      {status}
    </span>
  );
}
