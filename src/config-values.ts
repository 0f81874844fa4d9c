import * as v from 'valibot'
import { messageOf } from './errors.ts'
import { linkName } from './names.ts'

/** What can stand behind a key of the configuration. A message follows the key, and ends with what is allowed. */

/** What editors show for the key. */
export const about = <T extends v.GenericSchema>(text: string, schema: T) =>
  v.pipe(schema, v.description(text))

type IssuePath = [v.IssuePathItem, ...v.IssuePathItem[]]

/** To one key of one table of a list. */
export function pathTo<T extends object>(list: readonly T[], i: number, key: keyof T & string): IssuePath {
  const at = (step: PropertyKey, value: unknown) => ({
    type: 'object',
    origin: 'value',
    input: {},
    key: step,
    value,
  })
  return [at(i, list[i]), at(key, list[i]?.[key])] as unknown as IssuePath
}

/** Text that one of the checks in names.ts takes, with that check's own message. */
export const textAs = <T>(check: (text: string, what: string) => T, allowed: string) =>
  v.pipe(
    v.string(`is not text (allowed: ${allowed})`),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return check(dataset.value, '')
      } catch (error) {
        addIssue({ message: `${messageOf(error).trim()} (allowed: ${allowed})` })
        return NEVER
      }
    }),
  )

export const listOf = <T extends v.GenericSchema>(item: T, allowed: string) =>
  v.array(item, `is not a list (allowed: a list such as ${allowed})`)

export const link = textAs(linkName, 'the name of an interface, up to 15 bytes')
/** `message` follows the key. */
export const wholeNumber = (message: string, least: number, most: number) =>
  v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message))
export const secondsFrom = (least: number) =>
  wholeNumber(`is not a whole number of seconds from ${least} to 3600`, least, 3600)
export const trueOrFalse = v.boolean('is not true or false (allowed: true, false)')
