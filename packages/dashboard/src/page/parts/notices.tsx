import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { address } from "../navigation.ts";
import { Icon } from "./icons.tsx";

/** What was done, said on the screen and to screen readers. */

interface Notice {
  readonly id: number;
  readonly text: string;
  readonly failed: boolean;
  /** A run to go to. */
  readonly runId: string | null;
}

const SHOWN_FOR = 8_000;

const notices = signal<readonly Notice[]>([]);
let last = 0;

/** Says it for a while; a failure stays until it is closed. */
export function say(
  text: string,
  options: { readonly failed?: boolean; readonly runId?: string } = {},
): void {
  const { failed = false, runId = null } = options;
  const notice = { id: ++last, text, failed, runId };
  notices.value = [...notices.value.slice(-3), notice];
  if (!failed) setTimeout(() => close(notice.id), SHOWN_FOR);
}

function close(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** The place of the notices. It is always there: screen readers follow only what changes in a region that they know. */
export function Notices(): JSX.Element {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, text, failed, runId }) => (
        <div key={id} class={`notice ${failed ? "notice-failed" : ""}`}>
          <Icon name={failed ? "warning" : "done"} />
          <p>
            {text}
            {runId !== null && (
              <>
                {" "}
                <a href={address({ run: runId })}>Open it</a>
              </>
            )}
          </p>
          <button type="button" class="icon-button" aria-label="Close the notice" onClick={() => close(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
