import { computed, type Signal, signal } from "@preact/signals";
import type { Info } from "../protocol.ts";
import { get, messageOf, pathOf } from "./api.ts";
import { setServerTime } from "./parts/time.tsx";

/** What the dashboard knows of its server and store: asked for once, when the page is loaded. */

export const info: Signal<Info | null> = signal(null);
export const infoError: Signal<string | null> = signal(null);

/** Acts are not shown where they are not allowed. */
export const mayAct = computed(() => info.value?.readOnly === false);

/** Asks the server. */
export async function loadInfo(): Promise<void> {
  try {
    const answer = await get<Info>(pathOf("info"));
    setServerTime(answer.now);
    info.value = answer;
    infoError.value = null;
  } catch (error) {
    infoError.value = messageOf(error);
  }
}
