/* dates.c - see dates.h. The proleptic Gregorian calendar, a year at a time. */
#include "policies/dates.h"

#include <stdio.h>
#include <string.h>

#define DAY INT64_C(86400)

static bool leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && leap(year));
}

/* Digits at s as a number. */
static int digits(const char *s, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++)
        v = 10 * v + (s[i] - '0');
    return v;
}

bool date_parse(const char *s, int64_t *out)
{
    static const char shape[] = "0000-00-00T00:00:00Z";
    int64_t days = 0;

    if (strlen(s) != strlen(shape))
        return false;
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
            return false;

    int year = digits(s, 4), month = digits(s + 5, 2), day = digits(s + 8, 2);
    int hour = digits(s + 11, 2), minute = digits(s + 14, 2), second = digits(s + 17, 2);

    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    for (int y = 1970; y < year; y++)
        days += leap(y) ? 366 : 365;
    for (int m = 1; m < month; m++)
        days += month_days(year, m);
    *out = (days + day - 1) * DAY + INT64_C(3600) * hour + INT64_C(60) * minute + second;
    return true;
}

void date_print(int64_t t, char out[DATE_TEXT])
{
    int year = 1970, month = 1;

    t = t < 0 ? 0 : t > DATE_MAX ? DATE_MAX : t;

    int64_t days = t / DAY;
    int second = (int)(t % DAY);

    for (; days >= (leap(year) ? 366 : 365); year++)
        days -= leap(year) ? 366 : 365;
    for (; days >= month_days(year, month); month++)
        days -= month_days(year, month);

    char buf[64];

    snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, (int)days + 1,
             second / 3600, second / 60 % 60, second % 60);
    memcpy(out, buf, DATE_TEXT - 1);
    out[DATE_TEXT - 1] = '\0';
}
