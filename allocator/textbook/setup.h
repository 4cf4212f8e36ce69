/* setup.c works by its constructor alone. In a static library somebody has to ask for it. */
#ifndef TEXTBOOK_SETUP_H
#define TEXTBOOK_SETUP_H

void setup_is_linked(void);

#endif
