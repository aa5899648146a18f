/**
 * Where the lease keeper's module is: beside this file in the sources. The build puts a `data:` URL with its bundled code,
 * the driver included, here (`tooling/tsup`), so that it needs no file, in whatever an application is bundled into.
 */
export const keeperUrl: string = new URL("./keeper.ts", import.meta.url).href;
