/* SPDX-License-Identifier: MIT */
/* date.c - dates as HTTP writes them, which is in English, whatever the locale: this program never
 * leaves the "C" one. */
#include "date.h"

#include <string.h>

static const time_t LAST_SECOND = 253402300799; /* of the last year with four digits */

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static char *put_number(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + digits;
}

static char *put_text(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

void date_format(char *out, time_t when)
{
    struct tm tm;
    time_t when_shown = when < 0 ? 0 : when > LAST_SECOND ? LAST_SECOND : when;
    gmtime_r(&when_shown, &tm);
    out = put_text(out, days + 3 * (size_t)tm.tm_wday, 3);
    out = put_text(out, ", ", 2);
    out = put_number(out, tm.tm_mday, 2);
    out = put_text(out, " ", 1);
    out = put_text(out, months + 3 * (size_t)tm.tm_mon, 3);
    out = put_text(out, " ", 1);
    out = put_number(out, tm.tm_year + 1900, 4);
    out = put_text(out, " ", 1);
    out = put_number(out, tm.tm_hour, 2);
    out = put_text(out, ":", 1);
    out = put_number(out, tm.tm_min, 2);
    out = put_text(out, ":", 1);
    out = put_number(out, tm.tm_sec, 2);
    put_text(out, " GMT", 4);
}

bool date_parse(time_t *ret, const char *text, size_t len)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* as it is written today */
        "%a, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
        "%a %b %d %H:%M:%S %Y",      /* asctime() */
    };
    char copy[64];

    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {.tm_isdst = 0};
        const char *end = strptime(copy, forms[i], &tm);
        if (end && *end == '\0') {
            *ret = timegm(&tm);
            return true;
        }
    }
    return false;
}
