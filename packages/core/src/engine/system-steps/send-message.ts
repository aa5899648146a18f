import type { Message } from "../../world/index.ts";
import type { SystemStep } from "./system-step.ts";

/** Sends a message, such as a cancel, under an id that is derived from the step's: it arrives once. */

export type SendMessageInput = Pick<Message, "to" | "type" | "data">;

export const sendMessage: SystemStep = {
  owed: true,
  async execute({ id, input }, { deliver, now }) {
    const message = input as SendMessageInput;
    const result = await deliver({ ...message, messageId: id, at: now() });
    return { type: "completed", value: result };
  },
};
