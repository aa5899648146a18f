import type { Message } from "../../world/index.ts";
import { lastFor } from "./go-on.ts";
import type { SystemStep } from "./system-step.ts";

/** Sends a message, such as a cancel, under an id that is derived from the step's: it arrives once. */

export type SendMessageInput = Pick<Message, "to" | "type" | "data">;

export const sendMessage: SystemStep = {
  owed: true,
  async execute({ id, input, again }, store) {
    const { to, ...message } = input as SendMessageInput;
    const toRun = "runId" in to ? await lastFor(to.runId, again(to.runId), store) : null;
    const receiver = toRun === null ? to : { ...to, runId: toRun.runId };
    const result = await store.deliver({ ...message, to: receiver, messageId: id, at: store.now() });
    return { type: "completed", value: result };
  },
};
