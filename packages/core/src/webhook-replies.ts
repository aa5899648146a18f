import { patienceWith, tellsOf, untilSeen } from "./api/looking.ts";
import type { Clock } from "./clock.ts";
import { currentContext } from "./context.ts";
import { callSystemStep } from "./interpreter/kinds/system-step.ts";
import {
  answerRequestsBy,
  decode,
  encode,
  largestValue,
  type ReplyAddress,
  readBody,
  storable,
} from "./serialization/index.ts";
import type { Hint, World } from "./world/index.ts";

/**
 * Answers of workflows to the requests that their webhooks got. An answer is the first chunk of a stream of the webhook's run,
 * named after the message that brought the request: so one answer wins, whoever waits for it is notified, and knows when the run
 * has ended without one.
 */

const ANSWER = "$answer/";

/** Answers a request, encoded. Of several answers the first one counts. */
export async function appendAnswer(
  { runId, id }: ReplyAddress,
  answer: Uint8Array,
  writer: string,
  append: World["appendChunks"],
): Promise<void> {
  // Where the run has ended, whoever waited knows it.
  await append([{ runId, name: `${ANSWER}${id}`, writer, n: 0, chunks: [answer] }]);
}

/** The answer to a request; `null` if its run has ended without one, or none has come when the time is over. */
export async function answerTo(
  world: World,
  { runId, id }: ReplyAddress,
  clock: Clock,
  until: number,
): Promise<Response | null> {
  const name = `${ANSWER}${id}`;
  const ended = tellsOf(runId);
  const tells = (hint: Hint): boolean =>
    ended(hint) || (hint.type === "stream" && hint.runId === runId && hint.name === name);
  return await untilSeen({ world, clock, signal: undefined, tells }, async () => {
    const part = await world.readChunks({ runId, name, from: 0, limit: 1, byteLimit: 1 });
    const [answer] = part?.chunks ?? [];
    if (answer !== undefined) return { seen: decode(answer.data) as Response };
    if (part === null || part.closed || clock.now() >= until) return { seen: null };
    return { again: Math.min(patienceWith(world), until - clock.now()) };
  });
}

/** What `request.respondWith(response)` does where it is called. */
async function respond(address: ReplyAddress, response: Response): Promise<void> {
  if (!(response instanceof Response)) {
    throw new TypeError(`request.respondWith(): must be given a Response, got ${typeof response}.`);
  }
  await readBody(response, "respondWith()");
  const context = currentContext();
  if (context?.kind === "workflow") {
    await callSystemStep(context.execution, "answer_request", () => ({ address, response }));
    return;
  }
  if (context === undefined) {
    throw new TypeError("request.respondWith() was called outside a workflow and its steps.");
  }
  const { step, world } = context;
  const answer = storable(encode(response, "response"), "response", largestValue(world)) as Uint8Array;
  await appendAnswer(address, answer, `${step.stepId}/${step.attempt}`, (batch) => world.appendChunks(batch));
}

answerRequestsBy(respond);
