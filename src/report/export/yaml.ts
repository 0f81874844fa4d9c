/** As much of YAML as netplan needs. */
export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml | undefined }

const isList = (value: Yaml): value is readonly Yaml[] => Array.isArray(value)

/** Lines, without an indent of their own. */
export function yaml(value: Yaml): readonly string[] {
  if (typeof value !== 'object') return [scalar(value)]
  if (isList(value)) return value.flatMap((item) => indented('- ', yaml(item)))
  return Object.entries(value).flatMap(([key, item]) => (item === undefined ? [] : entry(scalar(key), item)))
}

function entry(key: string, item: Yaml): readonly string[] {
  if (typeof item !== 'object') return [`${key}: ${scalar(item)}`]
  const lines = yaml(item)
  if (lines.length === 0) return [`${key}: ${isList(item) ? '[]' : '{}'}`]
  return [`${key}:`, ...lines.map((line) => `  ${line}`)]
}

const indented = (mark: string, [first = '', ...others]: readonly string[]): readonly string[] => [
  mark + first,
  ...others.map((line) => ' '.repeat(mark.length) + line),
]

/** Nothing that YAML could take for anything but a text goes without quotes. */
const scalar = (value: string | number | boolean): string =>
  typeof value !== 'string' ||
  (/^[a-z][a-z0-9-]*$/.test(value) && !/^(?:y|n|yes|no|on|off|true|false|null)$/.test(value))
    ? String(value)
    : JSON.stringify(value)
