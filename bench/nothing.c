/* SPDX-License-Identifier: MIT */
/* nothing.c - a program that ends at once: what the kernel and the C library want for one. */

int main(void)
{
    return 0;
}
