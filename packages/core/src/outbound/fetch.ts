import { currentContext } from "../context.ts";
import { ownStep } from "../define/step.ts";
import { ContextError } from "../errors/index.ts";
import { readBody } from "../serialization/index.ts";
import { plainFetch, setDurableFetch } from "./plain-fetch.ts";
import { withStepKey } from "./step-keys.ts";

/** The `fetch` of workflows and steps. */

/** One attempt: sends the request, and reads the response to its end. */
const send = ownStep("perdure//fetch", async (request: Request, signal?: AbortSignal): Promise<Response> => {
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError("fetch()", "a step");
  const over = context.step.signal;
  const response = await plainFetch(request, {
    ...withStepKey(context.keys, request, undefined),
    signal: signal === undefined ? over : AbortSignal.any([over, signal]),
  });
  await readBody(response, "The response");
  return response;
});

/**
 * `fetch` as everywhere, and durable in a workflow: the request is a step of its own, so its response is recorded once and the same
 * in every replay. A request that gets no response is tried again as steps are, whatever its method; a response with an error's
 * status is a response. Body and response have at most 8 MiB. In a workflow and in steps a POST, PATCH, PUT or DELETE without an
 * `Idempotency-Key` gets one, the same in every attempt: the step's id, and in a step that sends several of them `-2`, `-3` … after it,
 * in the order of the calls. Outside workflows and steps it is the plain one.
 *
 * @example
 * ```ts
 * const answer = await fetch("https://api.example.com/orders", { method: "POST", body: orderId });
 * if (!answer.ok) throw new FatalError(`refused with ${answer.status}`);
 * ```
 */
export const fetch: typeof globalThis.fetch = async (input, init) => {
  const context = currentContext();
  if (context === undefined) return await plainFetch(input, init);
  if (context.kind === "step") return await plainFetch(input, withStepKey(context.keys, input, init));
  const { signal, ...rest } = init ?? {};
  const request = new Request(input, rest);
  return await (signal === undefined || signal === null ? send(request) : send(request, signal));
};
setDurableFetch(fetch);
