/**
 * Where the thread's module is: beside this file in the sources. The build puts a `data:` URL with its bundled code here
 * (`tooling/tsup`), so that it needs no file, in whatever an application is bundled into.
 */
export const threadUrl: string = new URL("./lease-keeper-thread.ts", import.meta.url).href;
