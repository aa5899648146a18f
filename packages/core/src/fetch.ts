import { currentContext } from "./context.ts";
import { step } from "./define/step.ts";
import { readBody } from "./serialization/index.ts";
import { getStepMetadata } from "./workflow-api.ts";

/** The `fetch` of workflows: a step of its own, whose response is in the journal. */

type Fetch = typeof globalThis.fetch;

const atLoad: Fetch = globalThis.fetch;

/** The platform's, or what a test has put in its place; also where a program has put the durable one there. */
function plainFetch(...args: Parameters<Fetch>): ReturnType<Fetch> {
  const current = globalThis.fetch;
  return (current === fetch ? atLoad : current)(...args);
}

/** One attempt: sends the request, and reads the response to its end. */
const send = step("perdure//fetch", async (request: Request, signal?: AbortSignal): Promise<Response> => {
  const { signal: over } = getStepMetadata();
  const response = await plainFetch(request, {
    signal: signal === undefined ? over : AbortSignal.any([over, signal]),
  });
  await readBody(response, "The response");
  return response;
});

/**
 * `fetch` as everywhere, and durable in a workflow: the request is a step of its own, so its response is recorded once and the same
 * in every replay. A request that gets no response is tried again as steps are, whatever its method; a response with an error's
 * status is a response. Body and response have at most 8 MiB. In steps and outside workflows it is the plain one.
 *
 * @example
 * ```ts
 * const answer = await fetch("https://api.example.com/orders", { method: "POST", body: orderId });
 * if (!answer.ok) throw new FatalError(`refused with ${answer.status}`);
 * ```
 */
export const fetch: Fetch = async (input, init) => {
  if (currentContext()?.kind !== "workflow") return await plainFetch(input, init);
  const { signal, ...rest } = init ?? {};
  const request = new Request(input, rest);
  return await (signal === undefined || signal === null ? send(request) : send(request, signal));
};
