/** Set by dev/build.ts from package.json; unbuilt sources have none. */
declare const BUILT_VERSION: string | undefined

export const version: string = typeof BUILT_VERSION === 'string' ? BUILT_VERSION : 'development'
