import { HOOK_RECEIVED_OR_START } from "../interpreter/kinds/or-start.ts";
import type { DeliverResult, Message } from "../world/index.ts";

/**
 * The payloads of one turn are one delivery, however many requests they take. Where a hook took one and is gone when the next
 * request arrives, the others are as good as delivered: in one request they would have come to the same hook, which reads
 * no more of them. One that starts a run where nobody has the token is not lost like that, so it is never counted as delivered.
 */
export function withinOneTurn(): (message: Message, result: DeliverResult) => DeliverResult {
  const delivered = new Map<string, DeliverResult>();
  return ({ to, type }, result) => {
    if (!("name" in to) || type === HOOK_RECEIVED_OR_START) return result;
    if (result.outcome === "delivered") delivered.set(to.name, result);
    return result.outcome === "no_such_name" ? (delivered.get(to.name) ?? result) : result;
  };
}
