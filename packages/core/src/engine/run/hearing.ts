import { hearingOf } from "../../interpreter/kinds/index.ts";
import type { Heard } from "../../interpreter/kinds/kind.ts";
import { encode } from "../../serialization/index.ts";
import type { Mail } from "../../world/index.ts";
import { type AttemptParts, endOfAttempt } from "./attempt-end.ts";
import type { Incoming } from "./inbox.ts";
import { reasonOf } from "./outbox.ts";

/** The event that the code gets for one thing of its inbox; `null` for none. Throws for a message that cannot be read here. */
export function heardOf(incoming: Incoming, parts: AttemptParts, now: number): Heard | null {
  const { pending } = parts.execution;
  switch (incoming.type) {
    case "attempt_ended":
      return endOfAttempt(incoming, parts, now);
    case "due": {
      const { id, due, recorded } = incoming.entry;
      if (due === "attempt" || !pending.has(id)) return null;
      return { type: due, id, at: recorded?.at, data: recorded?.data ?? null };
    }
    case "system_step_ended": {
      const { step, data, failed } = incoming;
      if (pending.get(step.id) !== step) return null;
      return { type: failed ? "system_step_failed" : "system_step_completed", id: step.id, data };
    }
    case "mail":
      return heardOfMail(incoming.mail, parts, now);
  }
}

function heardOfMail(mail: Mail, { execution, cancel }: AttemptParts, now: number): Heard | null {
  const heard = hearingOf(mail.type)?.(execution, mail) ?? null;
  if (heard !== null || mail.type !== "cancel_requested" || cancel.begun) return heard;
  const record = cancel.begin(reasonOf(mail.data), now);
  return { type: "run_cancel_requested", id: null, data: encode(record, "cancel") };
}
