import type { JSX } from "preact";
import { address } from "../navigation.ts";

/** A link to a run, by its id. */
export function RunLink({ runId }: { readonly runId: string }): JSX.Element {
  return (
    <a class="code" href={address({ run: runId })}>
      {runId}
    </a>
  );
}
