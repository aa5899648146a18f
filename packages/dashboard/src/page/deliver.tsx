import type { Delivered, DeliverRequest, HookRow } from "../protocol.ts";
import { parseJson } from "./acts.tsx";
import { pathOf, post } from "./api.ts";
import { ask, Field } from "./parts/dialog.tsx";
import { say } from "./parts/notices.tsx";

/** Asks what to deliver to a hook. */
export function askToDeliver(hook: HookRow, done: () => void = () => {}): void {
  ask({
    title: `Deliver to ${hook.token}`,
    body: (
      <>
        <p>
          Run <span class="code">{hook.runId}</span> gets the payload and goes on.
        </p>
        <Field name="payload" label="Payload" code hint="JSON. Empty: undefined." />
        <Field
          name="key"
          label="Delivery key"
          hint="The same key again delivers nothing more. Empty: none."
        />
      </>
    ),
    confirm: "Deliver",
    act: async (form) => {
      const text = String(form.get("payload") ?? "").trim();
      const key = String(form.get("key") ?? "").trim();
      const request: DeliverRequest = {
        token: hook.token,
        ...(text !== "" && { payload: parseJson(text, "The payload is") }),
        ...(key !== "" && { key }),
      };
      const { said, runId } = await post<Delivered>(pathOf("deliver"), request);
      say(said, { runId });
      done();
    },
  });
}
