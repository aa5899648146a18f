import { encode, type ReplyAddress } from "../../serialization/index.ts";
import { appendAnswer } from "../../webhook-replies.ts";
import type { SystemStep } from "./system-step.ts";

/** Answers a request that a webhook of a run got. */

/** Which request, and what. */
export interface AnswerRequestInput {
  readonly address: ReplyAddress;
  readonly response: Response;
}

export const answerRequest: SystemStep = {
  owed: true,
  async execute({ id, input }, { appendChunks }) {
    const { address, response } = input as AnswerRequestInput;
    await appendAnswer(address, encode(response, "response") as Uint8Array, id, appendChunks);
    return { type: "completed", value: undefined };
  },
};
